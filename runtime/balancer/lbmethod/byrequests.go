package lbmethod

// ByRequests shares requests out by load factor (mod_lbmethod_byrequests.c).
var ByRequests = Method{
	Name:   "byrequests",
	Module: "lbmethod_byrequests_module",
	Doc:    "Each member gets its share of the requests, weighted by loadfactor.",
	Pick: func(ws []Worker) int {
		total := 0
		i := frame(ws, func(c, best *Counters) bool {
			c.Status += c.Factor
			total += c.Factor
			return best == nil || c.Status > best.Status
		})
		if i >= 0 {
			ws[i].Counters().Status -= total
		}
		return i
	},
}
