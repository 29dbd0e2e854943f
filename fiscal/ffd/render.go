package ffd

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// kind is how a requisite's value is to be read.
type kind uint8

const (
	kindBytes kind = iota
	kindText
	kindNumber
	kindMoney
	kindDecimal
	kindTime
	kindSign
)

// kindOf tells the type of the requisites that documents of a register carry
// (format reference 1.3). Others are shown as bytes.
func kindOf(t Tag) kind {
	switch t {
	case 1005, 1008, 1009, 1013, 1016, 1017, 1018, 1021, 1026, 1030, 1036, 1037, 1041, 1044, 1045, 1046, 1048, 1060,
		1073, 1074, 1075, 1085, 1086, 1117, 1171, 1177, 1179, 1187, 1188, 1191, 1192, 1195, 1197, 1203, 1225, 1226,
		1227, 1228, 1229, 1230, 1231, 1243, 1244, 1245, 1246, 1254, 1262, 1264, 1265, 1273, 1274, 2000:
		return kindText
	case 1020, 1031, 1043, 1079, 1081, 1082, 1102, 1103, 1104, 1105, 1106, 1107, 1120, 1136, 1138, 1139, 1140, 1141,
		1142, 1143, 1183, 1198, 1200, 1201, 1215, 1216, 1217, 1218, 1219, 1220:
		return kindMoney
	case 1001, 1002, 1038, 1040, 1042, 1050, 1051, 1052, 1053, 1054, 1055, 1056, 1057, 1062, 1097, 1101, 1108, 1109,
		1110, 1111, 1116, 1118, 1125, 1126, 1134, 1135, 1144, 1173, 1189, 1190, 1193, 1199, 1205, 1206, 1207, 1208,
		1209, 1212, 1213, 1214, 1221, 1222, 1271, 1290, 1293, 1294, 2003, 2004, 2005, 2100, 2102, 2104, 2105, 2106,
		2107, 2108, 2109, 2110, 2111, 2112, 2113, 2116:
		return kindNumber
	case 1023:
		return kindDecimal
	case 1012, 1098, 1178, 1263, 1272:
		return kindTime
	case TagFiscalSign:
		return kindSign
	default:
		return kindBytes
	}
}

// String renders the value for people: text, numbers, roubles with two
// decimals, wall clock without zone; hex if the type is unknown or the value
// does not fit it.
func (f Field) String() string {
	s, err := f.render()
	if err != nil {
		return hex.EncodeToString(f.Value)
	}
	return s
}

func (f Field) render() (string, error) {
	switch kindOf(f.Tag) {
	case kindText:
		return f.Text(), nil
	case kindNumber:
		v, err := f.Uint()
		return strconv.FormatUint(v, 10), err
	case kindMoney:
		v, err := f.Uint()
		return fmt.Sprintf("%d.%02d", v/100, v%100), err
	case kindDecimal:
		decimals, v, err := f.Decimal()
		return decimal(v, int(decimals)), err
	case kindTime:
		t, err := f.Time(time.UTC)
		return t.Format("2006-01-02T15:04:05"), err
	case kindSign:
		v, err := f.FiscalSign()
		return strconv.FormatUint(uint64(v), 10), err
	default:
		return hex.EncodeToString(f.Value), nil
	}
}

func decimal(v uint64, decimals int) string {
	s := strconv.FormatUint(v, 10)
	if decimals == 0 {
		return s
	}
	if len(s) <= decimals {
		s = strings.Repeat("0", decimals-len(s)+1) + s
	}
	return s[:len(s)-decimals] + "." + s[len(s)-decimals:]
}
