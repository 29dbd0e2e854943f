package fiscal

// Code is a stable name of something that went wrong (contract, Codes).
type Code string

// Nature tells what a code does to a command.
type Nature uint8

// Natures.
const (
	Content   Nature = iota + 1 // the command is wrong: final "rejected"
	Condition                   // the command waits until it heals
	Doubt                       // a person decides: "held"
	Notice                      // an alert; no command fails of it
)

// CodeInfo is all that is to be said of a code.
type CodeInfo struct {
	Code    Code   `json:"code"`
	Nature  Nature `json:"nature"`
	Russian string `json:"text"`    // one sentence for the cashier
	English string `json:"message"` // one sentence for the engineer
	Action  string `json:"action"`  // what to try
}

// Codes of the contract.
const (
	CodeBadJSON            Code = "bad-json"
	CodeUnknownField       Code = "unknown-field"
	CodeBadValue           Code = "bad-value"
	CodeTooLong            Code = "too-long"
	CodeNotEncodable       Code = "not-encodable"
	CodePaymentsShort      Code = "payments-short"
	CodeNoncashOverTotal   Code = "noncash-over-total"
	CodeEmpty              Code = "empty"
	CodeTooLarge           Code = "too-large"
	CodeTooOld             Code = "too-old"
	CodeRetained           Code = "retained"
	CodeExpired            Code = "expired"
	CodeNoRight            Code = "no-right"
	CodeUnknownTerminal    Code = "unknown-terminal"
	CodeUnknownVerb        Code = "unknown-verb"
	CodeUnknownDevice      Code = "unknown-device"
	CodeUnknownRoute       Code = "unknown-route"
	CodeUnsupported        Code = "unsupported"
	CodeMarkingUnsupported Code = "marking-unsupported"
	CodeIDConflict         Code = "id-conflict"
	CodeBusy               Code = "busy"
	CodeDiskFull           Code = "disk-full" // refuses new commands, and is the alert that stands meanwhile
	CodeNotFound           Code = "not-found"
	CodeNotBegunOnly       Code = "not-begun-only"
	CodeCancelled          Code = "cancelled"
	CodeShiftIsOpen        Code = "shift-is-open"
	CodeDeviceRefused      Code = "device-refused" // the device refused the content with a code of its own
	CodeContactRequired    Code = "contact-required"
	CodeTestMode           Code = "test-mode"
	CodeBadRequest         Code = "bad-request"
	CodeNotHeld            Code = "not-held"

	CodeCondition    Code = "condition" // "wait" has passed while a condition stood
	CodePaperOut     Code = "paper-out"
	CodeCoverOpen    Code = "cover-open"
	CodePrinterAway  Code = "printer-away"
	CodePrinterBusy  Code = "printer-busy"
	CodePrinterFault Code = "printer-fault"
	CodeShiftClosed  Code = "shift-closed"
	CodeShiftExpired Code = "shift-expired"
	CodeClockWrong   Code = "clock-wrong"
	CodeFNFull       Code = "fn-full"
	CodeFNExpired    Code = "fn-expired"
	CodeFNMissing    Code = "fn-missing"
	CodeFNFault      Code = "fn-fault"
	CodeOFDOverdue   Code = "ofd-overdue"
	CodeNoCash       Code = "no-cash"
	CodeCloudAway    Code = "cloud-away"
	CodeCloudAccount Code = "cloud-account"
	CodeDuplicate    Code = "duplicate-node"

	CodeForeignReceipt Code = "foreign-receipt"
	CodeClosedByOther  Code = "closed-by-other"
	CodeOtherStorage   Code = "other-storage"
	CodeNeedsPerson    Code = "needs-person"
	CodeLate           Code = "late"
	CodeCloudFault     Code = "cloud-fault"
	CodeCloudFailed    Code = "cloud-failed"

	CodeFNNearlyFull     Code = "fn-nearly-full"
	CodeFNExpiresSoon    Code = "fn-expires-soon"
	CodeOFDBacklog       Code = "ofd-backlog"
	CodeClockDrift       Code = "clock-drift"
	CodeShiftExpiresSoon Code = "shift-expires-soon"
	CodeStoreRecovered   Code = "store-recovered"
	CodeCountersDiffer   Code = "counters-differ"
	CodeForeignDocument  Code = "foreign-document"
	CodeUnknownPending   Code = "unknown-pending"
	CodeHeldPending      Code = "held-pending"
	CodePaperOwed        Code = "paper-owed"
	CodeBrokerAway       Code = "broker-away"
	CodeStoreFault       Code = "store-fault"
	CodeCloudPending     Code = "cloud-pending"
	CodeCloudUnconfirmed Code = "cloud-unconfirmed"
	CodeRouteFallback    Code = "route-fallback"
	CodeLateDocument     Code = "late-document"
	CodeReconcileDiffers Code = "reconcile-differs"
	CodeAccessDenied     Code = "access-denied"
)

// Info returns what is to be said of c.
func (c Code) Info() CodeInfo { return infos[c] }
