"""The LaMP protocol (Salemi et al., 2024, https://arxiv.org/abs/2304.11406) on files in its format.

One adapter per user, trained on the profile alone, as Salemi & Zamani (2024,
https://arxiv.org/abs/2409.10509) compare it with retrieval.
"""
