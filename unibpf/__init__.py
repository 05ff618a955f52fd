"""What every process of UniBPF shares: messages, subjects, bus, bundle, envelope, tracing, and the command line."""
