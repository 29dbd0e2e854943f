package shtrih

import (
	"kassad/devices/emul/fn"
)

// tableTextMax is the longest text that an answer of 1Fh can carry: code, error
// and value in a frame of 255 bytes (section 3.3).
const tableTextMax = 253

// tableList names the tables 1..25 without gaps, as 5Dh ends the host's
// enumeration. Only fields that matter have a meaning; the others keep the
// numbers in place.
func tableList() []table {
	list := []table{
		{"ТИП И РЕЖИМ КАССЫ", 1, deviceFields()},
		{"ПАРОЛИ КАССИРОВ И АДМИНИСТРАТОРОВ", 30, []field{bin("ПАРОЛЬ", 4, 99999999), char("ФАМИЛИЯ, ДОЛЖНОСТЬ", 64)}},
		{"ТАБЛИЦА ПЕРЕВОДА ВРЕМЕНИ", 1, []field{bin("ПЕРЕВОД ВРЕМЕНИ", 1, 1)}},
		{"ТЕКСТ В ЧЕКЕ", 14, []field{char("ТЕКСТ РЕКЛАМЫ", 64)}},
		{"НАИМЕНОВАНИЯ ТИПОВ ОПЛАТЫ", 16, []field{char("НАИМЕНОВАНИЕ ТИПА ОПЛАТЫ", 64)}},
		{"НАЛОГОВЫЕ СТАВКИ", 12, []field{fixed(bin("ВЕЛИЧИНА НАЛОГА", 2, 9999)), fixed(char("НАИМЕНОВАНИЕ НАЛОГА", 64))}},
		{"НАИМЕНОВАНИЯ ОТДЕЛОВ", 16, []field{char("НАИМЕНОВАНИЕ ОТДЕЛА", 64)}},
		{"НАСТРОЙКА ШРИФТОВ", 1, []field{bin("НОМЕР ШРИФТА", 1, 9)}},
		{"ТАБЛИЦА ФОРМАТА ЧЕКА", 1, []field{bin("ФОРМАТ", 1, 1)}},
		{"СЛУЖЕБНАЯ", 1, []field{bin("РЕЗЕРВ", 1, 0)}},
		{"СЛУЖЕБНАЯ", 1, []field{bin("РЕЗЕРВ", 1, 0)}},
		{"WEB-ССЫЛКА", 1, []field{char("ССЫЛКА", 64)}},
		{"СЛУЖЕБНАЯ", 1, []field{bin("РЕЗЕРВ", 1, 0)}},
		{"SDCARD STATUS", 1, []field{bin("СТАТУС", 1, 0)}},
		{"СЕРВЕР ТРАНЗАКЦИЙ", 1, []field{bin("РЕЗЕРВ", 1, 0)}},
		{"СЕТЕВЫЕ НАСТРОЙКИ", 1, []field{bin("STATIC IP", 1, 1), bin("IP 1", 1, 255), bin("IP 2", 1, 255), bin("IP 3", 1, 255), bin("IP 4", 1, 255)}},
		{"РЕГИОНАЛЬНЫЕ НАСТРОЙКИ", 1, regionalFields()},
		{"FISCAL STORAGE", 1, storageFields()},
		{"ПАРАМЕТРЫ ОФД", 1, []field{char("СЕРВЕР", 64), bin("ПОРТ", 2, 65535), bin("ТАЙМАУТ", 2, 0)}},
		{"СТАТУС ОБМЕНА ФН", 1, []field{
			fixed(bin("СОСТОЯНИЕ", 1, 0)), fixed(bin("СОСТОЯНИЕ ЧТЕНИЯ", 1, 0)), fixed(bin("КОЛИЧЕСТВО СООБЩЕНИЙ", 2, 0)),
			fixed(bin("НОМЕР ПЕРВОГО ДОКУМЕНТА", 4, 0)), fixed(char("ДАТА ПЕРВОГО ДОКУМЕНТА", 16)),
		}},
		{"СЕТЕВОЙ ИНТЕРФЕЙС", 1, []field{bin("РЕЗЕРВ", 1, 0), bin("РЕЖИМ ОБМЕНА С ОФД", 1, 2), bin("TCP СЕРВЕР", 1, 2), bin("TCP ПОРТ", 2, 65535)}},
		{"СЛУЖЕБНАЯ", 1, []field{bin("РЕЗЕРВ", 1, 0)}},
		{"УДАЛЕННЫЙ МОНИТОРИНГ", 1, []field{bin("РЕЗЕРВ", 1, 0)}},
		{"ВЕНДИНГ", 1, []field{bin("АВТОМАТИЧЕСКИЕ ОТЧЕТЫ", 1, 1)}},
		{"ПАРАМЕТРЫ РЕГИСТРАЦИИ", 1, []field{fixed(bin("СИСТЕМЫ НАЛОГООБЛОЖЕНИЯ 1062", 1, 0))}},
	}
	return list
}

// named spreads the known fields of a wide table over their places.
func named(total int, known map[int]field) []field {
	out := make([]field, total)
	for i := range out {
		f, there := known[i+1]
		if !there {
			f = bin("РЕЗЕРВ", 1, 0)
		}
		out[i] = f
	}
	return out
}

func deviceFields() []field {
	return named(30, map[int]field{
		1: {name: "НОМЕР В МАГАЗИНЕ", size: 1, min: 1, max: 99}, 2: bin("АВТОМАТИЧЕСКОЕ ОБНУЛЕНИЕ ДЕН.НАЛИЧНОСТИ", 1, 1),
		6: bin("РАБОТА С ДЕНЕЖНЫМ ЯЩИКОМ", 1, 2), 7: bin("ОТРЕЗКА ЧЕКА", 1, 3), 14: bin("НАЧИСЛЕНИЕ НАЛОГОВ", 1, 3),
		20: bin("ПЕЧАТЬ ЧЕКА ПО ЗАКРЫТИЮ", 1, 1), 23: bin("ЗАПРЕТ НУЛЕВОГО ЧЕКА", 1, 1),
	})
}

func regionalFields() []field {
	return named(72, map[int]field{
		3: bin("РЕЖИМ ИСЧИСЛЕНИЯ СКИДОК", 1, 2), 7: bin("НЕ ПЕЧАТАТЬ ДОКУМЕНТ", 1, 2), 8: bin("ОГРАНИЧЕНИЕ ВРЕМЕНИ СМЕНЫ", 1, 1),
		17: {name: "ФОРМАТ ФД", size: 1, min: 2, max: 4, readOnly: true}, 36: bin("РАСШИРЕННЫЕ ОТВЕТЫ", 1, 1),
		53: bin("НЕ ПЕЧАТАТЬ ОТЧЕТЫ", 1, 1), 64: bin("ПЕРЕКОДИРОВКА НАЛОГОВ", 1, 1), 71: bin("ЗАМЕНА НДС 20 НА 22", 1, 1),
	})
}

func storageFields() []field {
	return named(24, map[int]field{
		1: fixed(char("ЗАВОДСКОЙ НОМЕР", 16)), 2: fixed(char("ИНН", 12)), 3: fixed(char("РНМ", 20)), 4: fixed(char("НОМЕР ФН", 16)),
		5: fixed(bin("СИСТЕМЫ НАЛОГООБЛОЖЕНИЯ", 1, 0)), 6: fixed(bin("РЕЖИМ РАБОТЫ", 1, 0)), 7: char("ПОЛЬЗОВАТЕЛЬ", tableTextMax),
		8: char("ОПЕРАТОР", 64), 9: char("АДРЕС", tableTextMax), 10: char("НАЗВАНИЕ ОФД", tableTextMax), 11: char("URL ОФД", 64),
		12: char("ИНН ОФД", 12), 14: char("МЕСТО РАСЧЕТОВ", tableTextMax), 15: char("E-MAIL ОТПРАВИТЕЛЯ", 64),
		21: fixed(bin("РАСШИРЕННЫЙ РЕЖИМ РАБОТЫ", 1, 0)), 23: char("ИНН КАССИРА", 13), 24: bin("БЛОКИРОВКА ПО НЕОТПРАВЛЕННЫМ", 1, 30),
	})
}

// factory writes the values that a new, registered device has.
func (t *tables) factory(cfg Config, storage *fn.Storage) {
	t.set(1, 1, 1, 1)
	t.set(1, 1, 6, 1)
	t.set(1, 1, 7, 2)
	t.set(1, 1, 20, 1)
	for row := 1; row <= 30; row++ {
		t.set(2, row, 1, row)
		t.set(2, row, 2, "ОПЕРАТОР "+itoa(row))
	}
	t.set(2, 29, 2, "АДМИН.")
	t.set(2, 30, 1, int(cfg.Password))
	t.set(2, 30, 2, "СИСТ. АДМИН.")
	for i, line := range cfg.Header {
		if i < 14 {
			t.set(4, i+1, 1, line)
		}
	}
	payments := []string{"НАЛИЧНЫМИ", "БЕЗНАЛИЧНЫМИ"}
	for row := 1; row <= 16; row++ {
		name := "ТИП ОПЛАТЫ " + itoa(row)
		switch {
		case row <= len(payments):
			name = payments[row-1]
		case row == 14:
			name = "ПРЕДВАРИТЕЛЬНАЯ ОПЛАТА (АВАНС)"
		case row == 15:
			name = "ПОСЛЕДУЮЩАЯ ОПЛАТА (КРЕДИТ)"
		case row == 16:
			name = "ИНАЯ ФОРМА ОПЛАТЫ"
		}
		t.set(5, row, 1, name)
		t.set(7, row, 1, "Отдел "+itoa(row))
	}
	for i, rate := range rates() {
		t.set(6, i+1, 1, rate.hundredths)
		t.set(6, i+1, 2, rate.name)
	}
	t.storageValues(cfg, storage)
}

func (t *tables) storageValues(cfg Config, storage *fn.Storage) {
	r := storage.Registration()
	t.set(17, 1, 17, int(storage.FFD()))
	if cfg.ExtendedAnswers {
		t.set(17, 1, 36, 1)
	}
	for f, v := range map[int]any{
		1: cfg.Serial, 2: r.INN, 3: r.RNM, 4: storage.Serial(), 5: int(r.Taxations), 6: int(r.Mode), 7: r.UserName, 8: r.Cashier,
		9: r.Address, 10: r.OFDName, 11: "ofd.example", 12: r.OFDINN, 14: r.Place, 15: "", 21: int(r.ExtendedMode),
	} {
		t.set(18, 1, f, v)
	}
	t.set(19, 1, 1, "ofd.example")
	t.set(19, 1, 2, 7777)
	t.set(21, 1, 3, 1)
	t.set(21, 1, 4, TCPPort)
	t.set(25, 1, 1, int(r.Taxations))
}
