package native

// Bounds on what a clowder.toml may be, so that none takes more memory or stack than
// its size explains.
const (
	maxDepth    = 100 // brackets in a value, and parts of a key
	maxFindings = 1000

	freePaths    = 16 << 20 // bytes of the full paths of all keys
	pathsPerByte = 24
)

// tooDeep finds the place where values or keys are nested deeper than [maxDepth];
// -1: nowhere. It needs no well-formed text, and goes before the parser, which
// follows nesting with its stack.
func tooDeep(b []byte) int {
	depth, dots := 0, 0
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '#':
			for i < len(b) && b[i] != '\n' {
				i++
			}
			dots = 0
		case '"', '\'':
			s := scanner{b: b, i: i}
			s.str()
			i = s.i - 1
		case '[', '{':
			depth++
		case ']', '}':
			depth = max(0, depth-1)
			dots = 0
		case '.':
			dots++
		case '=', ',', '\n':
			dots = 0
		}
		if depth > maxDepth || dots > maxDepth {
			return i
		}
	}
	return -1
}
