package diff

import (
	"regexp"
	"strings"

	"clowder/parse/diag"
)

// secretWords in the name of a value, or in that of the element that has it, mean
// that the value is not for a report.
var secretWords = []string{"secret", "passw", "passphrase", "encryptionkey", "nonce", "token", "credential", "apikey", "api-key", "api_key",
	"authorization", "authbasicfake", "bindpassword", "dbdparams", "keypass", "keystorepass"}

// notSecret are names with such a word whose values everybody may see.
var notSecret = map[string]bool{"secretrequired": true, "servertokens": true}

// secret reports whether the values of a field at the present place are left out.
func (c *comparer) secret(field string, values ...string) bool {
	if secretName(field) {
		return true
	}
	if n := len(c.path); n > 0 && (field == "value" || field == "args" || field == "text") && secretName(c.path[n-1]) {
		return true
	}
	for _, v := range values {
		if secretIn(field, v) {
			return true
		}
	}
	return false
}

func secretName(s string) bool {
	s = strings.ToLower(s)
	if notSecret[s] {
		return false
	}
	for _, w := range secretWords {
		if strings.Contains(s, w) {
			return true
		}
	}
	return false
}

// userinfo is a name and password inside a URL.
var userinfo = regexp.MustCompile(`://[^/@\s"']*@`)

// secretIn reports whether the value holds a secret.
func secretIn(field, value string) bool {
	return secretName(field) || hideIn(value) != value
}

// hideIn masks the secrets inside a text.
func hideIn(s string) string {
	if strings.Contains(s, "@") {
		s = userinfo.ReplaceAllString(s, "://(hidden)@")
	}
	return diag.HideSecrets(s)
}
