"""What is learnt of programs: cost models and the draft."""
