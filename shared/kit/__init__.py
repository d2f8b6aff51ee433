"""What every function is built with: entry, worker, table, bus, queue, clients, telemetry."""
