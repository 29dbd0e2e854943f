package fn

import (
	"slices"
	"time"

	"kassad/fiscal/ffd"
)

// Warning bits (Shtrih-M reference 4.5).
const (
	WarnThreeDays  byte = 1 << 0
	WarnThirtyDays byte = 1 << 1
	WarnFull       byte = 1 << 2
	WarnOFDOverdue byte = 1 << 3
)

func (s *Storage) warnings(at time.Time) byte {
	w := s.st.ExtraWarnings
	left := s.st.Expires.Sub(at)
	if left <= 3*24*time.Hour {
		w |= WarnThreeDays
	}
	if left <= 30*24*time.Hour {
		w |= WarnThirtyDays
	}
	if uint64(len(s.st.Documents))*100 >= uint64(s.cfg.ArchiveMax)*99 {
		w |= WarnFull
	}
	if first, ok := s.firstUnsent(); ok && at.Sub(first.Time) > OFDOverdueAfter {
		w |= WarnOFDOverdue
	}
	return w
}

// SetWarnings adds warning bits that the model itself never raises, such as
// those of the operator (bits 4..6).
func (s *Storage) SetWarnings(bits byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.st.ExtraWarnings = bits
}

func (s *Storage) lastTime() time.Time {
	if n := len(s.st.Documents); n > 0 {
		return s.st.Documents[n-1].Time
	}
	return time.Time{}
}

func (s *Storage) over24(at time.Time) bool {
	return s.st.Shift.Open && at.Sub(s.st.Shift.OpenedAt) >= ShiftMax
}

// mayBegin is the storage's word on starting a document of kind k at the given
// time (format reference 4.2, 4.3).
func (s *Storage) mayBegin(k Kind, at time.Time) error {
	if s.st.Phase != PhaseFiscal && !(k == KindRegistration && s.st.Phase == PhaseReady) || s.st.Current.Kind != KindNone {
		return ErrState
	}
	if at.Before(s.lastTime()) {
		return ErrTime
	}
	needsShift := k == KindReceipt || k == KindCorrection || k == KindShiftClose
	if needsShift != s.st.Shift.Open && k != KindStateReport && k != KindRegistration {
		return ErrState
	}
	// Closing must stay possible: it is the way out of every block below.
	if k == KindShiftClose || k == KindStorageClose || k == KindStateReport || k == KindRegistration {
		return nil
	}
	if !at.Before(s.st.Expires) {
		return ErrLifetime
	}
	if uint32(len(s.st.Documents)) >= s.cfg.ArchiveMax {
		return ErrExhausted
	}
	if first, ok := s.firstUnsent(); ok && at.Sub(first.Time) >= UnsentMax {
		return ErrBlocked
	}
	if s.over24(at) {
		return ErrShift24
	}
	return nil
}

// mayCommit repeats the rules of time: they hold for the moment of commit too.
func (s *Storage) mayCommit(at time.Time) error {
	c := s.st.Current
	if at.Before(s.lastTime()) || at.Before(c.BegunAt) {
		return ErrTime
	}
	if (c.Kind == KindReceipt || c.Kind == KindCorrection) && at.Sub(s.st.Shift.OpenedAt) > ShiftMax {
		return ErrShift24
	}
	if s.cfg.Gap > 0 && at.Sub(c.BegunAt) > s.cfg.Gap {
		return ErrGap
	}
	return nil
}

// ownTags are formed by the storage and refused from outside (Shtrih-M
// reference 2.1).
func ownTags(version byte) []ffd.Tag {
	own := []ffd.Tag{
		1001, 1002, 1012, 1017, 1018, 1020, 1037, 1038, 1040, 1041, 1042, 1050, 1051, 1052, 1053, 1054, 1056, 1062, 1077,
		1097, 1098, 1111, 1116, 1118, 1129, 1130, 1131, 1132, 1133, 1134, 1135, 1136, 1138, 1139, 1140, 1141, 1142, 1143,
		1144, 1145, 1146, 1157, 1158, 1183, 1190, 1194, 1201, 1205, 1206, 1209, 1213, 1218, 1219, 1220, 1232, 1233,
	}
	if version >= ffd.Version12 {
		return append(own, 1290, 2104, 2106, 2116)
	}
	return append(own, 1109, 1110, 1126, 1193, 1207, 1221)
}

// sizeMax are the lengths of the format's strings (format reference 1.3).
func sizeMax(t ffd.Tag) int {
	switch t {
	case 1192, 1197, 1041:
		return 16
	case 1203, 1226, 1228, 1016:
		return 12
	case 1021, 1008, 1117, 1026, 1085, 1191:
		return 64
	case 1073, 1074, 1075, 1171:
		return 19
	case 1044:
		return 24
	case 1030:
		return 128
	case 1162, 1179, 1231:
		return 32
	case 1005, 1009, 1048, 1086, 1177, 1187, 1208, 1225, 1227:
		return 256
	case 1055, 1057, 1125, 1173, 1199, 1212, 1214, 1222, 2108:
		return 1
	case 1178:
		return 4
	case 1031, 1081, 1215, 1216, 1217, 1043, 1079, 1200:
		return 8
	case ffd.TagItem:
		return ItemBytesMax
	default:
		return ReceiptBytesMax
	}
}

// repeats are the tags that form arrays.
func repeats(t ffd.Tag) bool {
	return slices.Contains([]ffd.Tag{ffd.TagItem, 1073, 1074, 1075, 1119, 1171, 1235, 1260, 1261}, t)
}

// checkFields judges data from outside next to what the document already has.
func (s *Storage) checkFields(fields []ffd.Field, top bool) error {
	seen := map[ffd.Tag]bool{}
	for _, f := range fields {
		switch {
		case top && slices.Contains(ownTags(s.st.FFD), f.Tag):
			return ErrForbidden
		case seen[f.Tag] && !repeats(f.Tag):
			return ErrDuplicate
		case len(f.Value) > sizeMax(f.Tag) && f.Tag == ffd.TagItem:
			return ErrTLVSize
		case len(f.Value) > sizeMax(f.Tag):
			return ErrParameter
		}
		seen[f.Tag] = true
		if f.Tag.IsContainer() {
			if err := s.checkFields(f.Fields, false); err != nil {
				return err
			}
		}
	}
	return nil
}
