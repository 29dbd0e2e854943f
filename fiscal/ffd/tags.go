package ffd

// Tag is the number of a requisite in the fiscal data format.
type Tag uint16

// Tags that kassad writes or reads. Names follow the order's Russian titles.
const (
	TagBuyerContact      Tag = 1008 // телефон или электронный адрес покупателя, ≤64
	TagSettlementAddress Tag = 1009 // адрес расчетов, ≤256
	TagDateTime          Tag = 1012 // дата, время
	TagDeviceSerial      Tag = 1013 // заводской номер ККТ, ≤20
	TagUserINN           Tag = 1018 // ИНН пользователя, 12 padded
	TagTotal             Tag = 1020 // сумма расчета
	TagCashier           Tag = 1021 // кассир, ≤64
	TagQuantity          Tag = 1023 // количество, FVLN
	TagItemName          Tag = 1030 // наименование предмета расчета, ≤128
	TagCash              Tag = 1031 // наличными
	TagRegistration      Tag = 1037 // регистрационный номер ККТ, 20 padded
	TagShift             Tag = 1038 // номер смены
	TagDocument          Tag = 1040 // номер ФД
	TagStorage           Tag = 1041 // номер ФН, 16
	TagReceipt           Tag = 1042 // номер чека за смену
	TagItemSum           Tag = 1043 // стоимость предмета расчета
	TagUserName          Tag = 1048 // наименование пользователя
	TagSettlementSign    Tag = 1054 // признак расчета, 1..4
	TagTaxation          Tag = 1055 // применяемая СНО, one bit
	TagItem              Tag = 1059 // предмет расчета, STLV
	TagTaxationsAllowed  Tag = 1062 // системы налогообложения, mask
	TagFiscalSign        Tag = 1077 // ФПД, 6 bytes
	TagItemPrice         Tag = 1079 // цена за единицу
	TagCard              Tag = 1081 // безналичными
	TagUserAttribute     Tag = 1084 // дополнительный реквизит пользователя, STLV
	TagUserAttributeName Tag = 1085
	TagUserAttributeText Tag = 1086
	TagUnsentCount       Tag = 1097 // количество непереданных ФД
	TagUnsentSince       Tag = 1098
	TagVAT20             Tag = 1102
	TagVAT10             Tag = 1103
	TagTurnover0         Tag = 1104
	TagTurnoverNone      Tag = 1105
	TagVAT120            Tag = 1106
	TagVAT110            Tag = 1107
	TagShiftDocuments    Tag = 1111
	TagVATSums           Tag = 1115 // суммы НДС чека, STLV of 1119
	TagSenderEmail       Tag = 1117
	TagShiftReceipts     Tag = 1118
	TagVATSum            Tag = 1119 // {1199, 1120}
	TagVATAmount         Tag = 1120
	TagInternet          Tag = 1125 // признак расчета в «Интернет»
	TagItemCode          Tag = 1162 // код товара (1.05)
	TagSupplierPhone     Tag = 1171
	TagCorrectionType    Tag = 1173 // 0 self, 1 by order
	TagCorrectionBasis   Tag = 1174 // {1178, 1179}
	TagCorrectionDate    Tag = 1178
	TagCorrectionNumber  Tag = 1179
	TagSettlementPlace   Tag = 1187 // место расчетов
	TagFFDVersion        Tag = 1209 // 2 = 1.05, 3 = 1.1, 4 = 1.2
	TagItemExtra         Tag = 1191
	TagReceiptExtra      Tag = 1192 // дополнительный реквизит чека, ≤16
	TagUnitText          Tag = 1197 // единица измерения, FFD ≤1.1
	TagVATRate           Tag = 1199 // ставка НДС, 1..12
	TagItemVAT           Tag = 1200
	TagCashierINN        Tag = 1203 // ИНН кассира, 12
	TagSubject           Tag = 1212 // признак предмета расчета
	TagMethod            Tag = 1214 // признак способа расчета
	TagPrepaid           Tag = 1215
	TagCredit            Tag = 1216
	TagProvision         Tag = 1217
	TagItemAgent         Tag = 1222 // признак агента по предмету расчета, mask
	TagAgentData         Tag = 1223
	TagSupplierData      Tag = 1224 // {1171, 1225}
	TagSupplierName      Tag = 1225
	TagSupplierINN       Tag = 1226
	TagBuyerName         Tag = 1227
	TagBuyerINN          Tag = 1228
	TagTransferAddress   Tag = 1005
	TagTransferINN       Tag = 1016
	TagTransferName      Tag = 1026
	TagAgentOperation    Tag = 1044
	TagAgentPhone        Tag = 1073
	TagAcceptorPhone     Tag = 1074
	TagTransferPhone     Tag = 1075
	TagBuyerInfo         Tag = 1256
	TagUnit              Tag = 2108 // мера количества, FFD 1.2
)

// FFD versions, tag 1209.
const (
	Version105 = 2
	Version11  = 3
	Version12  = 4
)

// containers are the tags whose value is itself a sequence of TLV.
var containers = map[Tag]bool{
	TagItem: true, TagUserAttribute: true, TagVATSums: true, TagVATSum: true,
	TagCorrectionBasis: true, TagAgentData: true, TagSupplierData: true,
	TagBuyerInfo: true, 1129: true, 1130: true, 1131: true, 1132: true, 1133: true,
	1145: true, 1146: true, 1157: true, 1158: true, 1163: true, 1194: true,
	1232: true, 1233: true, 1234: true, 1235: true, 1260: true, 1261: true,
	1270: true, 1291: true,
}

// IsContainer tells whether the value of t is a sequence of TLV (STLV).
func (t Tag) IsContainer() bool { return containers[t] }
