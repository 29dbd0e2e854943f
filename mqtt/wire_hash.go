package mqtt

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"

	"kassad/fiscal"
)

// canonicalHash tells whether two commands with the same id are the same one.
// It depends on neither the order of members nor white space nor escapes, and
// leaves exp and wait out; 110 and 110.00 are different. No body is {}. place
// is the device or the route: naming one as the other is the same command.
func canonicalHash(verb fiscal.Verb, place string, body *jsonValue) string {
	out := make([]byte, 0, 1024)
	for _, s := range []string{string(verb), place} {
		out = append(out, s...)
		out = append(out, 0)
	}
	if body == nil {
		body = &jsonValue{kind: jsonObject}
	}
	sum := sha256.Sum256(appendCanonical(out, body))
	return hex.EncodeToString(sum[:])
}

func appendCanonical(out []byte, v *jsonValue) []byte {
	switch v.kind {
	case jsonString:
		return strconv.AppendQuote(out, v.text)
	case jsonArray:
		out = append(out, '[')
		for i := range v.items {
			out = append(appendCanonical(out, &v.items[i]), ',')
		}
		return append(out, ']')
	case jsonObject:
		sorted := make([]*jsonMember, len(v.members))
		for i := range v.members {
			sorted[i] = &v.members[i]
		}
		slices.SortFunc(sorted, func(a, b *jsonMember) int { return strings.Compare(a.key, b.key) })
		out = append(out, '{')
		for _, m := range sorted {
			out = append(strconv.AppendQuote(out, m.key), ':')
			out = append(appendCanonical(out, &m.value), ',')
		}
		return append(out, '}')
	case jsonNull:
		return append(out, "null"...)
	default:
		return append(out, v.text...)
	}
}
