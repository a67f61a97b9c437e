package report

import "regexp"

// secretValue finds what must not be shown: values of secret=, requiredSecret=,
// encryptionKey=, passwords and nonces, in httpd's, Tomcat's and mod_jk's files.
var secretValue = regexp.MustCompile(`(?i)(?:secret|password|passwd|keypass|keystorepass|truststorepass|encryptionkey|nonce)"?\s*=\s*(?:"([^"]*)"?|'([^']*)'?|([^\s"'>]+))`)

// hideSecrets replaces every byte of such a value by a star, so that columns stay.
func hideSecrets(line string) string {
	var out []byte
	for _, m := range secretValue.FindAllStringSubmatchIndex(line, -1) {
		if out == nil {
			out = []byte(line)
		}
		for g := 2; g < len(m); g += 2 {
			for i := m[g]; i >= 0 && i < m[g+1]; i++ {
				out[i] = '*'
			}
		}
	}
	if out == nil {
		return line
	}
	return string(out)
}
