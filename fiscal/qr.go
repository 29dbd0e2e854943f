package fiscal

import "fmt"

// QR is the text of the code printed on the receipt, tag 1196 (format reference
// 5.1), or "" for what has none: cash and shift documents, and those of which a
// cloud has not told the time. kind is the
// settlement sign, for corrections too.
func (r Receipt) QR(kind Kind) string {
	if kind < Sale || kind > BuyRefund || r.FD == 0 || r.At.IsZero() {
		return ""
	}
	return fmt.Sprintf("t=%s&s=%s&fn=%s&i=%d&fp=%d&n=%d", r.At.Format("20060102T1504"), r.Total, r.Storage, r.FD, r.Sign, uint8(kind))
}
