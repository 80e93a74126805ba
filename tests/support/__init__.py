"""What tests share: arrays of any backend, processes, small nets, small sets, a Hub."""
