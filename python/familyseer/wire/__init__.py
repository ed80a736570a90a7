"""What crosses the process border: messages, sessions, channels, keys."""
