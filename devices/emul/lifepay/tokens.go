package lifepay

// taxSystems are the bits of tag 1055 by the vendor's names (section 2.1).
var taxSystems = map[string]byte{"osn": 1, "usn6": 2, "usn15": 4, "eshn": 16, "patent": 32}

// vat is a rate: the code of tag 1199, and the tax as a part of the sum.
type vat struct {
	code      byte
	tax, base int64
}

// VAT codes whose sum is the turnover, not the tax.
const (
	vatZero = 5
	vatNone = 6
)

// vats are the rates of section 2.3. The old 18 % shares its code with the main
// rate that followed.
var vats = map[string]vat{
	"none": {vatNone, 0, 1}, "vat0": {vatZero, 0, 1}, "vat10": {2, 10, 110}, "vat110": {4, 10, 110},
	"vat18": {1, 18, 118}, "vat118": {3, 18, 118}, "vat20": {1, 20, 120}, "vat120": {3, 20, 120},
	"vat5": {7, 5, 105}, "vat7": {8, 7, 107}, "vat105": {9, 5, 105}, "vat107": {10, 7, 107},
	"vat22": {11, 22, 122}, "vat122": {12, 22, 122},
}

// of is the tax inside a sum, half up.
func (v vat) of(sum Kopecks) Kopecks {
	return Kopecks((int64(sum)*v.tax*2 + v.base) / (2 * v.base))
}

// units are tag 2108 by the vendor's names (section 2.2), and tag 1197 for FFD
// 1.05.
var units = map[string]struct {
	code byte
	text string
}{
	"piece": {0, "шт."}, "g": {10, "г"}, "kg": {11, "кг"}, "m2": {32, "кв. м"}, "ml": {40, "мл"}, "l": {41, "л"},
}

// operations are tag 1054 by the vendor's names (sections 2.1, 4.1).
var operations = map[string]byte{
	"payment": 1, "refund": 2, "buy": 3, "buy_refund": 4,
	"sell_correction": 1, "sell_return_correction": 2, "buy_correction": 3, "buy_return_correction": 4,
}

func isCorrection(kind string) bool {
	switch kind {
	case "sell_correction", "sell_return_correction", "buy_correction", "buy_return_correction":
		return true
	}
	return false
}

// initiators are tag 1173.
var initiators = map[string]byte{"independently": 0, "directive": 1}

// Refusal codes (section 1.3).
const (
	CodeData       = 400
	CodeTooMany    = 429
	CodeInternal   = 500
	CodeNonCash    = 3896
	CodeStorage    = 3975
	CodeFormat     = 6000
	CodeNoLogin    = 6009
	CodeNoPair     = 6010
	CodeNotAllowed = 6080
	CodeDenied     = 6095
	// CodeGeneric is what a document fails with when the reference has no
	// number for the reason. It is an invention.
	CodeGeneric = 1
)

var codeTexts = map[int]string{
	CodeData: "Ошибка данных.", CodeTooMany: "Слишком много запросов.", CodeInternal: "Внутренняя ошибка сервера.",
	CodeNonCash: "Сумма безналичных оплат превышает сумму чека.", CodeStorage: "Некорректные значения параметров команды ФН.",
	CodeFormat: "Неверный формат данных.", CodeNoLogin: "Пользователь с таким логином не найден.",
	CodeNoPair: "Пользователь с такими логином и ключом не найден.", CodeNotAllowed: "Облачная печать не разрешена.",
	CodeDenied: "Доступ запрещён.", CodeGeneric: "Ошибка устройства.",
}
