package lbmethod

// ByBusyness takes the member with the fewest requests in progress (mod_lbmethod_bybusyness.c).
var ByBusyness = Method{
	Name:   "bybusyness",
	Module: "lbmethod_bybusyness_module",
	Doc:    "The member with the fewest requests in progress gets the request; ties go by loadfactor.",
	Pick: func(ws []Worker) int {
		total := 0
		i := frame(ws, func(c, best *Counters) bool {
			c.Status += c.Factor
			total += c.Factor
			return best == nil || c.Busy < best.Busy || c.Busy == best.Busy && c.Status > best.Status
		})
		if i >= 0 {
			ws[i].Counters().Status -= total
		}
		return i
	},
}
