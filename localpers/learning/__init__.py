"""The learn flow: every step is a room's own; here is their order."""
