"""The LaMP protocol (Salemi et al., 2024, https://arxiv.org/abs/2304.11406) on files in its format.

Every condition answers the same questions through an Assistant; what differs is the examples in
the prompt, and the adapter.
"""
