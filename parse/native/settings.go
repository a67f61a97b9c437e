package native

import "strings"

// settingKind is the shape of a key that is no part of the setup.
type settingKind uint8

const (
	textSetting   settingKind = iota + 1
	listSetting               // of texts
	tableSetting              // name = text
	structSetting             // a table of other settings
	arraySetting              // tables of other settings
)

// setting is a key of clowder.toml that is no part of the setup.
type setting struct {
	key   string
	kind  settingKind
	doc   string
	words string // of the texts, with | between them; "" any
}

// rootKeys, lintKeys and ignoreKeys are the tables of these keys: of the file, of
// [lint] and of [[lint.ignore]].
var (
	rootKeys = []setting{
		{"versions", tableSetting, "Versions: httpd, tomcat for all nodes, or the name of a node.", ""},
		{"hosts", tableSetting, "On which machines nodes and files of httpd run: name or file = address.", ""},
		{"frontends", tableSetting, "Root files of httpd that are read in place of those that a search finds: name = file.", ""},
		{"nodes", tableSetting, "Files server.xml that are read in place of those that a search finds: name = file.", ""},
		{"lint", structSetting, "Settings of clowder lint.", ""},
	}
	lintKeys = []setting{
		{"disable", listSetting, "Rules that are left out: IDs, names or beginnings of IDs.", ""},
		{"enable", listSetting, "Only these rules are checked.", ""},
		{"severity", tableSetting, "Other levels: rule = level.", "error|warning|info"},
		{"fail_on", textSetting, "Lowest level that makes the exit code 1.", "error|warning|info|never"},
		{"min_confidence", textSetting, "Less sure findings are hidden.", "possible|likely|certain|default"},
		{"baseline", textSetting, "File of findings that are known, relative to the clowder.toml.", ""},
		{"features", listSetting, "What a server or application does although no file says it.", strings.Join(LintFeatures, "|")},
		{"ignore", arraySetting, "A rule that is left out for some files.", ""},
	}
	ignoreKeys = []setting{
		{"rule", textSetting, "The rule: ID, name or beginning of IDs.", ""},
		{"path", textSetting, "Files, with * and **; absent: all.", ""},
		{"reason", textSetting, "Why.", ""},
		{"until", textSetting, "Day up to which it holds, such as 2027-03-01.", ""},
	}
)

// ignoreRequired are the keys that an entry of [[lint.ignore]] must have.
var ignoreRequired = []string{"rule", "reason"}

func settingNames(list []setting) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = s.key
	}
	return out
}
