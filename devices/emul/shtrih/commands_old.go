package shtrih

// oldReceiptCommands are section 3.7.
func oldReceiptCommands() []command { return nil }
