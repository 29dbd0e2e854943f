package shtrih

import (
	"errors"
	"fmt"

	"kassad/fiscal"
)

// refusal is a command that the device answered with an error code. Except for
// doubtful ones it had no effect (5.8 fact 7).
type refusal struct {
	Command string
	Code    byte
	Message []byte // the command itself
}

func (e *refusal) Error() string {
	return fmt.Sprintf("command %s: error %02Xh %s", e.Command, e.Code, vendorErrorOf(e.Code).Text)
}

// refusedWith tells whether err is a refusal with one of the codes.
func refusedWith(err error, codes ...byte) bool {
	var r *refusal
	if !errors.As(err, &r) {
		return false
	}
	for _, c := range codes {
		if r.Code == c {
			return true
		}
	}
	return false
}

// Codes that the driver itself acts on, section 4.1.
const (
	errFNData        = 0x08 // no such data
	errTagRefused    = 0x0B // the storage does not take this requisite
	errParameters    = 0x33
	errUnsupported   = 0x37
	errNoCash        = 0x46
	errBufferFull    = 0x4B
	errPrinting      = 0x50
	errReceiptClosed = 0x55
	errContinue      = 0x58
	errOtherOperator = 0x59
	errNoTable       = 0x5D
	errSubmode       = 0x72
	errMode          = 0x73
	errLength        = 0x7E
)

// vendorError is one line of the vendor's table.
type vendorError struct {
	Code fiscal.Code
	// Doubt: the storage itself failed; what became of the document is not
	// known, and nothing may be repeated or cancelled.
	Doubt bool
	Text  string // the vendor's words
}

// asFiscal is the refusal as the domain sees it.
func (e *refusal) asFiscal() *fiscal.Error {
	v := vendorErrorOf(e.Code)
	outcome := fiscal.OutcomeRejected
	if v.Doubt {
		outcome = fiscal.OutcomeUnknown
	}
	return &fiscal.Error{
		Code: v.Code, Vendor: fmt.Sprintf("0x%02X", e.Code), Detail: "command " + e.Command + ": " + v.Text, Outcome: outcome,
	}
}

// toFiscal turns any error of the driver into the domain's. The link's
// failures keep what they prove: nothing sent, nothing executed, or doubt.
func toFiscal(err error) *fiscal.Error {
	var f *fiscal.Error
	if errors.As(err, &f) {
		return f
	}
	var r *refusal
	if errors.As(err, &r) {
		return r.asFiscal()
	}
	var l *linkError
	if !errors.As(err, &l) {
		return fiscal.Fail(fiscal.OutcomeUnknown, fiscal.CodePrinterFault, err)
	}
	code := fiscal.CodePrinterAway
	if errors.Is(err, errExecuting) {
		code = fiscal.CodePrinterBusy
	}
	switch l.Fate {
	case fateUnreachable:
		return fiscal.Fail(fiscal.OutcomeUnreachable, code, err)
	case fateNotAccepted:
		return fiscal.Fail(fiscal.OutcomeRejected, code, err)
	default:
		return fiscal.Fail(fiscal.OutcomeUnknown, code, err)
	}
}

func content(text string) vendorError { return vendorError{Code: fiscal.CodeDeviceRefused, Text: text} }

func fault(text string) vendorError { return vendorError{Code: fiscal.CodePrinterFault, Text: text} }

func busy(text string) vendorError { return vendorError{Code: fiscal.CodePrinterBusy, Text: text} }

func because(code fiscal.Code, text string) vendorError { return vendorError{Code: code, Text: text} }

func doubtful(code fiscal.Code, text string) vendorError {
	return vendorError{Code: code, Doubt: true, Text: text}
}

// vendorErrorOf looks code up; a code that the table lacks is a refusal of
// content, since waiting would not change it.
func vendorErrorOf(code byte) vendorError {
	if v, ok := vendorStorageErrors(code); ok {
		return v
	}
	if v, ok := vendorDeviceErrors(code); ok {
		return v
	}
	if v, ok := vendorLateErrors(code); ok {
		return v
	}
	return content("Неизвестная ошибка")
}

// vendorStorageErrors are the codes of the fiscal storage, 01h to 30h and the
// shifted ones from A0h (4.1).
func vendorStorageErrors(code byte) (vendorError, bool) {
	v, ok := map[byte]vendorError{
		0x01: content("Неизвестная команда, неверный формат"),
		0x02: because(fiscal.CodeFNFault, "Другое состояние ФН"),
		0x03: doubtful(fiscal.CodeFNFault, "Отказ ФН"),
		0x04: doubtful(fiscal.CodeFNFault, "Отказ криптографического сопроцессора"),
		0x05: because(fiscal.CodeFNExpired, "Параметры не соответствуют сроку жизни ФН"),
		0x06: because(fiscal.CodeFNFull, "Архив ФН переполнен"),
		0x07: because(fiscal.CodeClockWrong, "Неверные дата и/или время"),
		0x08: because(fiscal.CodeNotFound, "Нет запрошенных данных"),
		0x09: content("Некорректное значение параметров"),
		0x0A: content("Некорректная команда для этого режима"),
		0x0B: content("Неразрешенные реквизиты"),
		0x0C: content("Дублирование данных"),
		0x0D: content("Отсутствуют данные, необходимые для учета"),
		0x0E: because(fiscal.CodeTooLarge, "Количество позиций превысило предел"),
		0x10: because(fiscal.CodeTooLarge, "Превышение размеров TLV данных"),
		0x11: because(fiscal.CodeOFDOverdue, "Нет транспортного соединения с ОФД"),
		0x12: because(fiscal.CodeFNFull, "Исчерпан ресурс ФН"),
		0x14: because(fiscal.CodeOFDOverdue, "Ограничение ресурса ФН"),
		0x15: because(fiscal.CodeOFDOverdue, "Исчерпан ресурс ожидания передачи сообщения"),
		0x16: because(fiscal.CodeShiftExpired, "Продолжительность смены более 24 часов"),
		0x17: because(fiscal.CodeClockWrong, "Некорректный промежуток времени между документами"),
		0x18: content("Некорректное значение реквизита"),
		0x19: content("Реквизит не соответствует настройкам при регистрации"),
		0x20: content("Сообщение от ОФД не может быть принято"),
		0x23: fault("Ошибка обновления ключей проверки кодов маркировки"),
		0x24: fault("Неизвестный ответ сервиса обновления ключей"),
		0xA0: because(fiscal.CodeMarkingUnsupported, "Запрещена работа с маркированными товарами"),
		0xA1: because(fiscal.CodeMarkingUnsupported, "Неверная последовательность команд работы с кодами маркировки"),
		0xA2: because(fiscal.CodeMarkingUnsupported, "Работа с маркированными товарами временно заблокирована"),
		0xA3: because(fiscal.CodeMarkingUnsupported, "Переполнена таблица проверки кодов маркировки"),
		0xA4: content("В блоке TLV отсутствуют необходимые реквизиты"),
		0xA5: because(fiscal.CodeMarkingUnsupported, "Код маркировки ранее не проверялся"),
		0xAA: content("В блоке TLV отсутствуют необходимые реквизиты"),
		0xAC: because(fiscal.CodeMarkingUnsupported, "Код маркировки ранее не проверялся"),
	}[code]
	return v, ok
}

// vendorDeviceErrors are the codes of the device, 2Bh to 7Fh.
func vendorDeviceErrors(code byte) (vendorError, bool) {
	v, ok := map[byte]vendorError{
		0x2B: content("Невозможно отменить предыдущую команду"),
		0x2C: content("Обнулённая касса, повторное гашение невозможно"),
		0x2D: content("Сумма чека по секции меньше суммы сторно"),
		0x2E: because(fiscal.CodeNoCash, "В ККТ нет денег для выплаты"),
		0x2F: doubtful(fiscal.CodeFNMissing, "Таймаут обмена с ФН"),
		0x30: doubtful(fiscal.CodeFNMissing, "ФН не отвечает"),
		0x31: doubtful(fiscal.CodeFNMissing, "Ошибка формата обмена с ФН"),
		0x32: doubtful(fiscal.CodeFNMissing, "Ошибка CRC обмена с ФН"),
		0x33: content("Некорректные параметры в команде"),
		0x34: because(fiscal.CodeNotFound, "Нет данных"),
		0x35: content("Некорректный параметр при данных настройках"),
		0x36: content("Некорректные параметры для данной реализации ККТ"),
		0x37: because(fiscal.CodeUnsupported, "Команда не поддерживается"),
		0x38: fault("Ошибка в ПЗУ"),
		0x39: fault("Внутренняя ошибка ПО ККТ"),
		0x3A: content("Переполнение накопления по надбавкам в смене"),
		0x3B: content("Переполнение накопления в смене"),
		0x3C: busy("Смена открыта, операция невозможна"),
		0x3D: because(fiscal.CodeShiftClosed, "Смена не открыта, операция невозможна"),
		0x3E: content("Переполнение накопления по секциям в смене"),
		0x3F: content("Переполнение накопления по скидкам в смене"),
		0x40: content("Переполнение диапазона скидок"),
		0x41: content("Переполнение диапазона оплаты наличными"),
		0x42: content("Переполнение диапазона оплаты типом 2"),
		0x43: content("Переполнение диапазона оплаты типом 3"),
		0x44: content("Переполнение диапазона оплаты типом 4"),
		0x45: because(fiscal.CodePaymentsShort, "Сумма всех типов оплаты меньше итога чека"),
		0x46: because(fiscal.CodeNoCash, "Не хватает наличности в кассе"),
		0x47: content("Переполнение накопления по налогам в смене"),
		0x48: content("Переполнение итога чека"),
		0x49: because(fiscal.CodeForeignReceipt, "Операция невозможна в открытом чеке данного типа"),
		0x4A: because(fiscal.CodeForeignReceipt, "Открыт чек, операция невозможна"),
		0x4B: busy("Буфер чека переполнен"),
		0x4C: content("Переполнение накопления по обороту налогов в смене"),
		0x4D: because(fiscal.CodeNoncashOverTotal, "Вносимая безналичной оплатой сумма больше суммы чека"),
		0x4E: because(fiscal.CodeShiftExpired, "Смена превысила 24 часа"),
		0x4F: fault("Неверный пароль"),
		0x50: busy("Идет печать предыдущей команды"),
		0x51: content("Переполнение накоплений наличными в смене"),
		0x52: content("Переполнение накоплений по типу оплаты 2 в смене"),
		0x53: content("Переполнение накоплений по типу оплаты 3 в смене"),
		0x54: content("Переполнение накоплений по типу оплаты 4 в смене"),
		0x55: busy("Чек закрыт, операция невозможна"),
		0x56: because(fiscal.CodeNotFound, "Нет документа для повтора"),
		0x58: busy("Ожидание команды продолжения печати"),
		0x59: because(fiscal.CodeForeignReceipt, "Документ открыт другим оператором"),
		0x5A: content("Скидка превышает накопления в чеке"),
		0x5B: content("Переполнение диапазона надбавок"),
		0x5C: fault("Понижено напряжение 24В"),
		0x5D: content("Таблица не определена"),
		0x5E: content("Неверная операция"),
		0x5F: content("Отрицательный итог чека"),
		0x60: content("Переполнение при умножении"),
		0x61: content("Переполнение диапазона цены"),
		0x62: content("Переполнение диапазона количества"),
		0x63: content("Переполнение диапазона отдела"),
		0x65: content("Не хватает денег в секции"),
		0x66: content("Переполнение денег в секции"),
		0x67: doubtful(fiscal.CodeFNMissing, "Ошибка связи с ФН"),
		0x68: content("Не хватает денег по обороту налогов"),
		0x69: content("Переполнение денег по обороту налогов"),
		0x6A: fault("Ошибка питания в момент ответа по I2C"),
		0x6B: because(fiscal.CodePaperOut, "Нет чековой ленты"),
		0x6C: because(fiscal.CodePaperOut, "Нет контрольной ленты"),
		0x6D: content("Не хватает денег по налогу"),
		0x6E: content("Переполнение денег по налогу"),
		0x6F: content("Переполнение по выплате в смене"),
		0x71: fault("Ошибка отрезчика"),
		0x72: busy("Команда не поддерживается в данном подрежиме"),
		0x73: busy("Команда не поддерживается в данном режиме"),
		0x74: fault("Ошибка ОЗУ"),
		0x75: fault("Ошибка питания"),
		0x76: fault("Ошибка принтера: нет импульсов с тахогенератора"),
		0x77: fault("Ошибка принтера: нет сигнала с датчиков"),
		0x78: fault("Замена ПО"),
		0x79: fault("Замена ФП или ошибка часов"),
		0x7A: content("Поле не редактируется"),
		0x7B: fault("Ошибка оборудования"),
		0x7C: because(fiscal.CodeClockWrong, "Не совпадает дата"),
		0x7D: because(fiscal.CodeClockWrong, "Неверный формат даты"),
		0x7E: content("Неверное значение в поле длины"),
		0x7F: content("Переполнение диапазона итога чека"),
	}[code]
	return v, ok
}

// vendorLateErrors are the codes of the device from 80h.
func vendorLateErrors(code byte) (vendorError, bool) {
	v, ok := map[byte]vendorError{
		0x80: fault("Ошибка связи с ФП"),
		0x81: fault("Ошибка связи с ФП"),
		0x82: fault("Ошибка связи с ФП"),
		0x83: fault("Ошибка связи с ФП"),
		0x84: content("Переполнение наличности"),
		0x85: content("Переполнение по приходу в смене"),
		0x86: content("Переполнение по расходу в смене"),
		0x87: content("Переполнение по возвратам прихода в смене"),
		0x88: content("Переполнение по возвратам расхода в смене"),
		0x89: content("Переполнение по внесению в смене"),
		0x8A: content("Переполнение по надбавкам в чеке"),
		0x8B: content("Переполнение по скидкам в чеке"),
		0x8C: content("Отрицательный итог надбавки в чеке"),
		0x8D: content("Отрицательный итог скидки в чеке"),
		0x8E: content("Нулевой итог чека"),
		0x8F: because(fiscal.CodeFNMissing, "Касса не фискализирована"),
		0x90: because(fiscal.CodeTooLong, "Поле превышает размер, установленный в настройках"),
		0x91: content("Выход за границу поля печати"),
		0x92: content("Наложение полей"),
		0x93: fault("Восстановление ОЗУ прошло успешно"),
		0x94: because(fiscal.CodeTooLarge, "Исчерпан лимит операций в чеке"),
		0x96: because(fiscal.CodeShiftExpired, "Выполните суточный отчет о закрытии смены"),
		0x9B: content("Некорректное действие"),
		0x9C: content("Товар не найден по коду в базе товаров"),
		0x9D: content("Неверные данные в базе товаров"),
		0x9E: content("Неверный размер файла базы товаров"),
		0xBE: busy("Команда не поддерживается в текущем состоянии"),
		0xC0: because(fiscal.CodeClockWrong, "Подтвердите дату и время"),
		0xC2: fault("Превышение напряжения в блоке питания"),
		0xC4: fault("Несовпадение номеров смен"),
		0xC5: content("Буфер подкладного документа пуст"),
		0xC6: because(fiscal.CodePaperOut, "Подкладной документ отсутствует"),
		0xC7: content("Поле не редактируется в данном режиме"),
		0xC8: fault("Нет связи с принтером или отсутствуют импульсы с тахогенератора"),
		0xC9: fault("Перегрев печатающей головки"),
		0xCA: fault("Температура вне условий эксплуатации"),
		0xCB: content("Неверный подытог чека"),
		0xCE: fault("Исчерпана память"),
		0xCF: because(fiscal.CodeClockWrong, "Часы сброшены, установите дату и время"),
		0xD1: because(fiscal.CodeNotFound, "Нет документов в буфере"),
		0xD2: fault("Модем не работает"),
		0xD3: because(fiscal.CodeMarkingUnsupported, "Код маркировки не может быть декодирован"),
		0xD4: because(fiscal.CodeMarkingUnsupported, "Код маркировки фальсифицирован"),
		0xD5: fault("Ошибка аутентификации"),
		0xE0: fault("Ошибка связи с купюроприемником"),
		0xE1: fault("Купюроприемник занят"),
		0xE2: fault("Итог чека не соответствует итогу купюроприемника"),
		0xE3: fault("Ошибка купюроприемника"),
		0xE4: fault("Итог купюроприемника не нулевой"),
	}[code]
	return v, ok
}
