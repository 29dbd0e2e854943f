package mqtt

// reconciliationBytesMax keeps a report, and an answer that holds one, well
// below the largest payload.
const reconciliationBytesMax = linkPayloadBytesMax * 3 / 4

// Fit returns the report with its lists cut until it fits into a message, and
// says how much is cut. What differs stays before what agrees.
func (r Reconciliation) Fit() Reconciliation {
	if len(encode(r)) <= reconciliationBytesMax {
		return r
	}
	for most := reconciledListMax; ; most /= 2 {
		if cut := r.cutTo(most); most == 0 || len(encode(cut)) <= reconciliationBytesMax {
			return cut
		}
	}
}

// reconciledListMax is where cutting begins.
const reconciledListMax = 1024

// cutTo leaves at most so many entries in every list.
func (r Reconciliation) cutTo(most int) Reconciliation {
	cut := &ReconciliationCut{}
	r.Cut = cut
	all := r.Parts
	r.Parts = make([]ReconciledPart, 0, min(most, len(all)))
	for _, agrees := range []bool{false, true} {
		for _, p := range all {
			switch {
			case p.Agrees != agrees:
			case len(r.Parts) == most:
				cut.Parts++
			default:
				r.Parts = append(r.Parts, p.cutTo(most, cut))
			}
		}
	}
	return r
}

func (p ReconciledPart) cutTo(most int, cut *ReconciliationCut) ReconciledPart {
	p.Gaps = shorten(p.Gaps, most, &cut.Gaps)
	p.Differences = shorten(p.Differences, most, &cut.Differences)
	p.Unconfirmed = shorten(p.Unconfirmed, most, &cut.Unconfirmed)
	p.Late = shorten(p.Late, most, &cut.Late)
	p.Settled = shorten(p.Settled, most, &cut.Settled)
	p.Notes = shorten(p.Notes, most, &cut.Notes)
	return p
}

func shorten[T any](list []T, most int, cut *int) []T {
	if len(list) <= most {
		return list
	}
	*cut += len(list) - most
	return list[:most]
}

// EncodeReconciliation prints the retained document of a report, cut to fit.
func EncodeReconciliation(r Reconciliation) []byte { return encode(r.Fit()) }

// Of is the report as far as it is about one backend.
func (r Reconciliation) Of(backend string) Reconciliation {
	all := r.Parts
	r.Parts, r.Agrees = []ReconciledPart{}, true
	for _, p := range all {
		if p.Backend == backend {
			r.Parts = append(r.Parts, p)
			r.Agrees = r.Agrees && p.Agrees
		}
	}
	return r
}
