package report

import (
	"regexp"
	"strings"
)

// secretValue finds the values that no report shows: attributes of Tomcat, and
// parameters of httpd and mod_jk, whose names speak of a secret. What comes from a
// property (${name}) tells nothing, and secretRequired is a flag.
var secretValue = regexp.MustCompile(`(?i)\b([\w.-]*(?:secret|password|passphrase|encryptionkey))(\s*=\s*)("[^"]*"?|'[^']*'?|[^\s"'>]+)`)

// hideSecrets puts stars in the place of secrets in a line of a file; the line
// keeps its length in characters, so that carets stay where they belong.
func hideSecrets(line string) string {
	low := strings.ToLower(line)
	if !strings.Contains(low, "secret") && !strings.Contains(low, "pass") && !strings.Contains(low, "encryptionkey") {
		return line
	}
	return secretValue.ReplaceAllStringFunc(line, func(m string) string {
		g := secretValue.FindStringSubmatch(m)
		value := g[3]
		if strings.Contains(value, "${") {
			return m
		}
		inside := strings.Trim(value, `"'`)
		return g[1] + g[2] + strings.Replace(value, inside, strings.Repeat("*", len(inside)), 1)
	})
}
