"""What our own metrics are called, for the functions that write them and the dashboards that show them."""

NAMESPACE = "SnapRace"
HANDLED = "MessagesHandled"
FAILED = "MessagesFailed"
