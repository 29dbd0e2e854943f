package shtrih

import (
	"errors"

	"kassad/devices/emul/fn"
)

// code is the error byte of an answer (section 4.1). Zero is success.
type code = byte

// Codes of the device itself.
const (
	ok               code = 0x00
	errNoCash        code = 0x46
	errStornoShort   code = 0x2D
	errParameters    code = 0x33
	errNoData        code = 0x34
	errSettings      code = 0x35
	errUnsupported   code = 0x37
	errPaidShort     code = 0x45
	errTotalOverflow code = 0x48
	errWrongType     code = 0x49
	errReceiptOpen   code = 0x4A
	errNonCashOver   code = 0x4D
	errShift24       code = 0x4E
	errPassword      code = 0x4F
	errPrinting      code = 0x50
	errReceiptClosed code = 0x55
	errNothingRepeat code = 0x56
	errContinue      code = 0x58
	errOtherOperator code = 0x59
	errDiscount      code = 0x5A
	errNoTable       code = 0x5D
	errOperation     code = 0x5E
	errProduct       code = 0x60
	errNoPaper       code = 0x6B
	errSubmode       code = 0x72
	errMode          code = 0x73
	errReadOnly      code = 0x7A
	errDateMismatch  code = 0x7C
	errDateFormat    code = 0x7D
	errLength        code = 0x7E
	errZeroReceipt   code = 0x8E
	errTooMany       code = 0x94
	errMarking       code = 0xA0
	errTagsMissing   code = 0xA4
)

// storageCode maps an answer of the storage to an error byte: codes from 32h
// up are shifted to A0h, and two are not in their numeric place (section 4.1).
func storageCode(err error) code {
	var e fn.Error
	switch {
	case err == nil:
		return ok
	case !errors.As(err, &e):
		return byte(fn.ErrFailure)
	case e == fn.ErrMissingTags:
		return errTagsMissing
	case e >= 0x32:
		return byte(e) - 0x32 + 0xA0
	default:
		return byte(e)
	}
}

// errorText is what 6Bh answers.
func errorText(c code) string {
	if t, known := errorTexts()[c]; known {
		return t
	}
	return "Неизвестная ошибка"
}

func errorTexts() map[code]string {
	return map[code]string{
		0x00: "Ошибок нет", 0x01: "ФН: Неизвестная команда, неверный формат", 0x02: "ФН: Другое состояние ФН",
		0x03: "ФН: Отказ ФН", 0x04: "ФН: Отказ КС", 0x05: "ФН: Не соответствуют сроку жизни ФН",
		0x07: "ФН: Неверные дата и/или время", 0x08: "ФН: Нет запрошенных данных",
		0x09: "ФН: Некорректное значение параметров", 0x0A: "ФН: Некорректная команда",
		0x0B: "ФН: Неразрешенные реквизиты", 0x0C: "ФН: Дублирование данных", 0x0D: "ФН: Отсутствуют данные",
		0x0E: "ФН: Количество позиций превысило предел", 0x10: "ФН: Превышение размеров TLV",
		0x11: "ФН: Нет транспортного соединения", 0x12: "ФН: Исчерпан ресурс ФН", 0x14: "ФН: Ограничение ресурса ФН",
		0x16: "ФН: Смена более 24 часов", 0x17: "ФН: Некорректный промежуток времени",
		0x2D: "ККТ: Сумма по секции меньше сторно", 0x2F: "ККТ: Таймаут обмена с ФН", 0x30: "ККТ: ФН не отвечает",
		0x33: "ККТ: Некорректные параметры в команде", 0x34: "ККТ: Нет данных",
		0x35: "ККТ: Некорректный параметр при данных настройках", 0x37: "ККТ: Команда не поддерживается",
		0x45: "ККТ: Сумма оплат меньше итога", 0x46: "ККТ: Не хватает наличности",
		0x49: "ККТ: Невозможно в открытом чеке данного типа", 0x4A: "ККТ: Открыт чек - операция невозможна",
		0x4D: "ККТ: Безналичная сумма больше чека", 0x4E: "ККТ: Смена превысила 24 часа", 0x4F: "ККТ: Неверный пароль",
		0x50: "ККТ: Идет печать предыдущей команды", 0x55: "ККТ: Чек закрыт - операция невозможна",
		0x56: "ККТ: Нет документа для повтора", 0x58: "ККТ: Ожидание команды продолжения печати",
		0x59: "ККТ: Документ открыт другим оператором", 0x5A: "ККТ: Скидка превышает сумму чека",
		0x5D: "ККТ: Таблица не определена", 0x5E: "ККТ: Неверная операция", 0x60: "ККТ: Переполнение при умножении",
		0x6B: "ККТ: Нет чековой ленты", 0x72: "ККТ: Команда не поддерживается в данном подрежиме",
		0x73: "ККТ: Команда не поддерживается в данном режиме", 0x7A: "ККТ: Поле не редактируется",
		0x7C: "ККТ: Не совпадает дата", 0x7D: "ККТ: Неверный формат даты", 0x7E: "ККТ: Неверное значение в поле длины",
		0x8E: "ККТ: Нулевой итог чека", 0x94: "ККТ: Исчерпан лимит операций в чеке",
		0xA0: "ФН: Запрещена работа с маркированными товарами", 0xA4: "ФН: В блоке TLV отсутствуют реквизиты",
	}
}
