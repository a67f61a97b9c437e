package ledger

import "clowder/render/target"

// Guarded is Person for facts that protect, or that leave something unprotected:
// a loss of security until somebody has decided.
func (l *Ledger) Guarded(message, means string, facts ...any) {
	l.mark(fate{loss: target.NeedsPerson, message: message, means: means, security: true}, facts)
}

// File puts facts that were marked before into another area than that of their
// field: what a user accepts to lose by one word.
func (l *Ledger) File(area string, facts ...any) {
	for _, x := range facts {
		for _, at := range places(x) {
			if f, ok := l.fates[at]; ok {
				f.area = area
				l.fates[at] = f
			}
		}
	}
}
