"""The search on a network's tasks, whichever tuner makes the programs: what is proposed, measured and learnt."""
