package schema_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/invopop/jsonschema"

	"kassad/fiscal"
	"kassad/mqtt"
)

// Forms of texts that have no Go type of their own.
const (
	idPattern       = `^[A-Za-z0-9._:-]{1,64}$`
	namePattern     = `^[a-z0-9-]{1,32}$`
	codePattern     = `^[a-z0-9-]+$`
	dayPattern      = `^[0-9]{4}-[0-9]{2}-[0-9]{2}$`
	wallPattern     = `^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}$`
	callbackPattern = `^[1-9][0-9]{0,3}/[a-z2-7]{26}/(~?\.{1,2}|[A-Za-z0-9._:-]{1,64})$`
	durationPattern = `^([0-9]+(\.[0-9]+)?(h|m|s|ms|us|µs|ns))+$`
	moneyPattern    = `^[0-9]+(\.[0-9]{1,2})?$`
	quantityPattern = `^[0-9]+(\.[0-9]{1,6})?$`
	personINN       = `^([0-9]{12})?$`
	anyINN          = `^([0-9]{10}|[0-9]{12})?$`
)

// mapper maps the types that print themselves. closed adds what a later
// version may extend: the list of codes.
func mapper(request, closed bool) func(reflect.Type) *jsonschema.Schema {
	return func(t reflect.Type) *jsonschema.Schema {
		if s := tokenSchema(t); s != nil {
			return s
		}
		switch reflect.New(t).Interface().(type) {
		case *fiscal.Money:
			return money(request)
		case *mqtt.Tendered:
			return anyOf(money(true), &jsonschema.Schema{Const: "#", Description: "the rest of the total"})
		case *fiscal.Quantity:
			number := &jsonschema.Schema{Type: "number", ExclusiveMinimum: "0", Maximum: json.Number(fiscal.QuantityMax.String())}
			return anyOf(number, &jsonschema.Schema{Type: "string", Pattern: quantityPattern})
		case *json.Number: // the percentage of a discount
			number := &jsonschema.Schema{Type: "number", Minimum: "0", Maximum: "100"}
			return anyOf(number, &jsonschema.Schema{Type: "string", Pattern: moneyPattern})
		case *time.Time, *mqtt.Instant:
			return &jsonschema.Schema{Type: "string", Format: "date-time"}
		case *mqtt.WallTime:
			return &jsonschema.Schema{Type: "string", Pattern: wallPattern}
		case *mqtt.Millis:
			return &jsonschema.Schema{Type: "number", Minimum: "0"}
		case *mqtt.IDs:
			return &jsonschema.Schema{Type: "array", Items: &jsonschema.Schema{Type: "string", Pattern: idPattern}}
		case *map[fiscal.VAT]fiscal.Money:
			return &jsonschema.Schema{Type: "object", PropertyNames: words("vat"), AdditionalProperties: money(true)}
		case *fiscal.Code:
			return codes(closed)
		case *json.RawMessage:
			return &jsonschema.Schema{}
		}
		return nil
	}
}

// tokenSchema lists the words of a token of the contract.
func tokenSchema(t reflect.Type) *jsonschema.Schema {
	switch reflect.New(t).Interface().(type) {
	case *fiscal.Kind:
		return words("kind")
	case *fiscal.VAT:
		return words("vat")
	case *fiscal.Method:
		return words("method")
	case *fiscal.Subject:
		return anyOf(words("subject"), &jsonschema.Schema{Type: "integer", Minimum: "1", Maximum: "27"},
			&jsonschema.Schema{Type: "integer", Minimum: "30", Maximum: "33"})
	case *fiscal.Unit:
		return words("unit")
	case *fiscal.Taxation:
		return words("taxation")
	case *fiscal.AgentType:
		return words("agent")
	case *fiscal.State:
		return enum(fiscal.Accepted, fiscal.Working, fiscal.Registered, fiscal.Unknown, fiscal.Held, fiscal.Done, fiscal.Rejected, fiscal.Cancelled,
			fiscal.Abandoned, fiscal.Expired)
	case *fiscal.Action:
		return enum(fiscal.ResolveRetry, fiscal.ResolveAsCorrection, fiscal.ResolveDoneElsewhere, fiscal.ResolveGiveUp,
			fiscal.ResolveReload)
	case *fiscal.Verb:
		return &jsonschema.Schema{Type: "string"} // a refusal repeats the verb that it does not know
	}
	return nil
}

// money is roubles. That a number has at most two decimals is left to kassad:
// validators that compute with floats would refuse 0.07.
func money(request bool) *jsonschema.Schema {
	if !request {
		return &jsonschema.Schema{Type: "number"}
	}
	number := &jsonschema.Schema{Type: "number", Minimum: "0", Maximum: json.Number(fiscal.MoneyMax.String())}
	return anyOf(number, &jsonschema.Schema{Type: "string", Pattern: moneyPattern})
}

func words(field string) *jsonschema.Schema { return enum(fiscal.Vocabulary()[field]...) }

func enum[T ~string](values ...T) *jsonschema.Schema {
	s := &jsonschema.Schema{Type: "string"}
	for _, v := range values {
		s.Enum = append(s.Enum, string(v))
	}
	return s
}

func anyOf(s ...*jsonschema.Schema) *jsonschema.Schema { return &jsonschema.Schema{AnyOf: s} }

func codes(closed bool) *jsonschema.Schema {
	if !closed {
		return &jsonschema.Schema{Type: "string", Pattern: codePattern}
	}
	var all []fiscal.Code
	for _, info := range fiscal.Codes() {
		all = append(all, info.Code)
	}
	return enum(all...)
}

// refinement narrows one member of one type beyond what its Go type says.
type refinement struct {
	path string // Type.member
	do   func(*jsonschema.Schema)
}

func pattern(p string) func(*jsonschema.Schema) {
	return func(s *jsonschema.Schema) { s.Pattern = p }
}

func chars(most uint64) func(*jsonschema.Schema) {
	return func(s *jsonschema.Schema) { s.MaxLength = &most }
}

func items(least, most uint64) func(*jsonschema.Schema) {
	return func(s *jsonschema.Schema) {
		if s.MaxItems = &most; least > 0 {
			s.MinItems = &least
		}
	}
}

func oneOf(values ...string) func(*jsonschema.Schema) {
	return func(s *jsonschema.Schema) { s.Enum = enum(values...).Enum }
}

func between(least, most int64) func(*jsonschema.Schema) {
	return func(s *jsonschema.Schema) {
		s.Minimum, s.Maximum = json.Number(fmt.Sprint(least)), json.Number(fmt.Sprint(most))
	}
}

func constant(v any) func(*jsonschema.Schema) {
	return func(s *jsonschema.Schema) { s.Const, s.Type = v, "" }
}

// refinements are the rules of package mqtt and fiscal that types do not show.
func refinements() []refinement {
	since := func(s *jsonschema.Schema) {
		s.AnyOf = []*jsonschema.Schema{{Type: "string", Format: "date-time"}, {Type: "integer", Minimum: "0"}}
	}
	return []refinement{
		{"Request.v", constant(1)}, {"Request.id", pattern(idPattern)}, {"Request.wait", pattern(durationPattern)},
		{"Request.route", pattern(namePattern)}, {"Request.device", pattern(namePattern)},
		{"ManagementRequest.v", constant(1)}, {"ManagementRequest.id", pattern(idPattern)},
		{"ManagementRequest.by", func(s *jsonschema.Schema) { chars(64)(s); s.MinLength = new(uint64(1)) }},
		{"Callback.v", constant(1)}, {"Callback.path", pattern(callbackPattern)}, {"Callback.content_type", chars(256)},
		{"Callback.body", chars(uint64(base64.StdEncoding.EncodedLen(mqtt.CallbackBodyMax)))},
		{"ReceiptRequest.items", items(1, fiscal.ItemsMax)}, {"ReceiptRequest.additional", chars(fiscal.AdditionalMaxChars)},
		{"ReceiptRequest.place", chars(fiscal.PlaceMaxChars)},
		{"CorrectionRequest.items", items(0, fiscal.ItemsMax)}, {"CorrectionRequest.additional", chars(fiscal.AdditionalMaxChars)},
		{"CorrectionRequest.place", chars(fiscal.PlaceMaxChars)},
		{"CorrectionBase.by", oneOf("self", "order")}, {"CorrectionBase.date", pattern(dayPattern)},
		{"CorrectionBase.number", chars(fiscal.BasisNumberMaxChars)}, {"CorrectionBase.fp", pattern(`^[0-9]{0,16}$`)},
		{"CashierRequest.name", chars(fiscal.CashierMaxChars)}, {"CashierRequest.inn", pattern(personINN)},
		{"BuyerRequest.name", chars(fiscal.BuyerMaxChars)}, {"BuyerRequest.inn", pattern(anyINN)},
		{"ItemRequest.name", chars(fiscal.NameMaxChars)}, {"ItemRequest.department", between(1, fiscal.DepartmentMax)},
		{"ItemRequest.additional", chars(fiscal.ItemExtraMaxChars)},
		{"AgentRequest.operation", chars(fiscal.OperationMaxChars)}, {"AgentRequest.phones", items(0, fiscal.PhonesMax)},
		{"AgentRequest.acceptor", items(0, fiscal.PhonesMax)},
		{"SupplierRequest.name", chars(fiscal.SupplierMaxChars)}, {"SupplierRequest.inn", pattern(anyINN)},
		{"SupplierRequest.phones", items(0, fiscal.PhonesMax)},
		{"TransferRequest.name", chars(fiscal.TransferNameMaxChars)}, {"TransferRequest.inn", pattern(anyINN)},
		{"TransferRequest.address", chars(fiscal.AddressMaxChars)}, {"TransferRequest.phones", items(0, fiscal.PhonesMax)},
		{"TextRequest.lines", func(s *jsonschema.Schema) { items(1, fiscal.TextLinesMax)(s); chars(fiscal.TextLineMaxChars)(s.Items) }},
		{"DocumentRequest.fd", between(1, 1<<32-1)}, {"TargetRequest.id", pattern(idPattern)}, {"SyncRequest.since", since},
		{"Answer.v", constant(1)}, {"Answer.n", between(1, 1<<31)}, {"Answer.printed", oneOf("unknown", "owed")},
		{"Answer.answer", func(s *jsonschema.Schema) { s.Ref = "#" }},
		{"Answer.answers", func(s *jsonschema.Schema) { s.Items = &jsonschema.Schema{Ref: "#"} }},
		{"Fiscal.kind", oneOf("sale", "refund", "buy", "buy-refund", "correction", "shift-open", "shift-close", "cash-in", "cash-out")},
		{"Fiscal.fp", pattern(`^[0-9]{1,10}$`)}, {"Fiscal.by", oneOf("other")}, {"Fiscal.ffd", oneOf("1.05", "1.1", "1.2")},
		{"NodeState.state", oneOf(mqtt.NodeOnline, mqtt.NodeDraining, mqtt.NodeOffline)},
		{"FNState.fill", oneOf("ok", "90%", "99%")},
		{"resolveRequest.id", pattern(idPattern)},
		{"resolveRequest.action", oneOf("retry", "as-correction", "done-elsewhere", "give-up")}, {"reloadRequest.id", pattern(idPattern)}, {"resolveRequest.node", oneOf("keep")},
		{"logsRequest.lines", between(1, 1000)},
	}
}

// refine applies every refinement that meets a type of s. name is the type of
// the root.
func refine(s *jsonschema.Schema, name string) {
	for _, r := range refinements() {
		typ, member, _ := strings.Cut(r.path, ".")
		for _, target := range []*jsonschema.Schema{s.Definitions[typ], s} {
			if target == nil || target == s && typ != name || target.Properties == nil {
				continue
			}
			if p, ok := target.Properties.Get(member); ok {
				r.do(p)
			}
		}
	}
}
