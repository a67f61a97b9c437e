package diag

import (
	"regexp"
	"strings"
)

// secretValue finds what no output shows: values of secret=, requiredSecret=,
// encryptionKey=, passwords and nonces, in httpd's, Tomcat's and mod_jk's files.
// secretRequired is a flag.
var secretValue = regexp.MustCompile(`(?i)\b([\w.-]*(?:secret|password|passwd|passphrase|keypass|keystorepass|truststorepass|encryptionkey|nonce))(\s*=\s*)("[^"]*"?|'[^']*'?|[^\s"'>]+)`)

// urlPassword finds the password of a URL with user and password.
var urlPassword = regexp.MustCompile(`://[^\s/@:"'<>]*:([^\s/@"'<>]+)@`)

// HidePasswords puts stars in the place of the passwords of URLs
// (http://user:password@host/).
func HidePasswords(text string) string {
	if !strings.Contains(text, "@") || !strings.Contains(text, "://") {
		return text
	}
	var b strings.Builder
	end := 0
	for _, m := range urlPassword.FindAllStringSubmatchIndex(text, -1) {
		b.WriteString(text[end:m[2]])
		b.WriteString(strings.Repeat("*", m[3]-m[2]))
		end = m[3]
	}
	return b.String() + text[end:]
}

// HideSecrets puts stars in the place of secrets in the text of a file. The text
// keeps its length in bytes, so that places stay where they are. What comes from
// a property (${name}) tells nothing and stays.
func HideSecrets(text string) string {
	text = HidePasswords(text)
	low := strings.ToLower(text)
	if !strings.Contains(low, "secret") && !strings.Contains(low, "pass") && !strings.Contains(low, "encryptionkey") && !strings.Contains(low, "nonce") {
		return text
	}
	return secretValue.ReplaceAllStringFunc(text, func(m string) string {
		g := secretValue.FindStringSubmatch(m)
		value := g[3]
		inside := strings.Trim(value, `"'`)
		if strings.Contains(value, "${") || inside == "" {
			return m
		}
		return g[1] + g[2] + strings.Replace(value, inside, strings.Repeat("*", len(inside)), 1)
	})
}
