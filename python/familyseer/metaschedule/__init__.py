"""TVM's MetaSchedule as a tuner, and what scripts of TVM's own use of it."""
