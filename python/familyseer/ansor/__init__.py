"""All that knows TVM's auto-scheduler (Ansor) or Relay."""
