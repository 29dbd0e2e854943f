package shtrih

// documentCommands are the storage documents besides receipts and shifts.
func documentCommands() []command { return nil }
