"""Questions and drafting requests with known answers, asked exactly as `ask` asks them."""
