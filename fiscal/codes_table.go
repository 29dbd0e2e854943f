package fiscal

// infos is the one table of codes: "kassad codes" prints it and the docs quote
// it.
var infos = map[Code]CodeInfo{
	CodeBadJSON: {CodeBadJSON, Content, "Команда повреждена.", "the payload is not a JSON object", "fix the program that sends it"},
}
