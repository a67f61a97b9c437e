package httpd

import (
	"strconv"
	"strings"

	"clowder/parse/model"
)

// workers writes the bounds of the whole front end.
func (w *writer) workers() {
	f := w.front
	w.bound(f.Processes, "ServerLimit", 0)
	w.bound(f.Threads, "ThreadsPerChild", 0)
	w.bound(f.Workers, "MaxRequestWorkers", 0)
	w.bound(f.Backlog, "ListenBacklog", 1)
	switch {
	case !stated(f.AsyncMore.Origin):
	case w.mods.mpm() != "mpm_event":
		w.led.Drop("only the event MPM has it", "", f.AsyncMore)
	case f.AsyncMore.V <= 0:
		w.led.Person("httpd refuses such a number; the line was left out", "AsyncRequestWorkerFactor", f.AsyncMore)
	default:
		w.put(f.AsyncMore, "AsyncRequestWorkerFactor", strconv.FormatFloat(f.AsyncMore.V, 'f', -1, 64))
	}
}

// bound writes a number that httpd refuses when it is less than least.
func (w *writer) bound(v model.Int, name string, least int) {
	switch {
	case !stated(v.Origin):
	case v.V < least:
		w.led.Person("httpd refuses such a number; the line was left out", name, v)
	default:
		w.put(v, name, strconv.Itoa(v.V))
	}
}

// readTimes writes RequestReadTimeout and HttpProtocolOptions.
func (w *writer) readTimes(s *model.Server) {
	if len(s.HTTPOptions) > 0 {
		words := make([]string, len(s.HTTPOptions))
		for i, o := range s.HTTPOptions {
			words[i] = o.V
		}
		if writable(words...) {
			w.put(s.HTTPOptions, "HttpProtocolOptions", quoteAll(words)...)
		} else {
			w.led.Person(unwritable, "", s.HTTPOptions)
		}
	}
	if s.ReadTime == nil {
		return
	}
	var words []string
	for _, p := range pairs(s.ReadTime) {
		v, _ := p.value.(string)
		if _, err := model.ParseReadStage(strings.TrimSpace(v)); err != nil {
			w.led.Person("httpd refuses such a time; it was left out", "RequestReadTimeout", p.fact)
			continue
		}
		words = append(words, p.key+"="+strings.TrimSpace(v))
		w.led.Exact(p.fact)
	}
	if len(words) > 0 {
		w.mods.use("reqtimeout")
		w.put(s.ReadTime, "RequestReadTimeout", words...)
	}
}
