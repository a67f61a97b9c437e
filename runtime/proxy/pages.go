package proxy

import (
	"html"
	"net/http"
	"strconv"
	"strings"
)

const (
	pageType  = "text/html; charset=iso-8859-1"
	proxyErr  = "Proxy Error" // the phrase of answers that carry a reason
	reasonFmt = "The proxy server could not handle the request<p>Reason: <strong>"
)

// problem is an answer that clowder makes itself.
type problem struct {
	status int
	phrase string // "" is the usual one
	reason string // shown with the phrase Proxy Error
	note   string // HTML behind the text of a 400 or 403, as httpd's error-notes
	err    error  // for the log

	realm    string // WWW-Authenticate of a 401, "" for AuthName's
	location string // of a redirection
	allow    string // of a 405

	id, what string // httpd's number for the event and what it says, for the log
	phase    string // of an attempt
	warn     bool   // logged as a warning
	logged   bool
	again    string // no answer: the request starts again at this URL
}

func (p *problem) Error() string {
	s := strconv.Itoa(p.status) + " " + p.title()
	if p.err != nil {
		s += ": " + p.err.Error()
	}
	return s
}

func (p *problem) title() string {
	if p.phrase != "" {
		return p.phrase
	}
	return statusText(p.status)
}

func statusText(status int) string {
	switch status {
	case 302:
		return "Found"
	case 408:
		return "Request Timeout"
	case 413:
		return "Request Entity Too Large"
	}
	return http.StatusText(status)
}

var pageText = map[int]string{
	400: "<p>Your browser sent a request that this server could not understand.<br />\n</p>",
	401: "<p>This server could not verify that you\nare authorized to access the document\nrequested.  Either you supplied the wrong\ncredentials (e.g., bad password), or your\nbrowser doesn't understand how to supply\nthe credentials required.</p>",
	403: "<p>You don't have permission to access this resource.</p>",
	404: "<p>The requested URL was not found on this server.</p>",
	421: "<p>The client needs a new connection for this\nrequest as the requested host name does not match\nthe Server Name Indication (SNI) in use for this\nconnection.</p>",
	502: "<p>The proxy server received an invalid\r\nresponse from an upstream server.<br />\r\n</p>",
	503: "<p>The server is temporarily unable to service your\nrequest due to maintenance downtime or capacity\nproblems. Please try again later.</p>",
	504: "<p>The gateway did not receive a timely response\nfrom the upstream server or application.</p>",
}

// page returns the generated page, byte for byte as httpd's ap_send_error_response.
func (p *problem) page(method, expect, admin string, extra int) string {
	text := pageText[p.status]
	reason := ""
	if p.reason != "" {
		reason = reasonFmt + html.EscapeString(p.reason) + "</strong></p>"
	}
	switch p.status {
	case 301, 302, 307, 308:
		text = `<p>The document has moved <a href="` + html.EscapeString(p.location) + `">here</a>.</p>`
	case 400, 502:
		if reason != "" {
			text = strings.TrimSuffix(text, "</p>") + reason + "</p>"
		}
	case 403:
		if reason != "" {
			text = strings.TrimSuffix(text, "</p>") + reason + "</p>"
		}
	case 405:
		text = "<p>The requested method " + html.EscapeString(method) + " is not allowed for this URL.</p>"
	case 417:
		text = "<p>The expectation given in the Expect request-header\nfield could not be met by this server.\nThe client sent<pre>\n    Expect: " +
			html.EscapeString(expect) + "\n</pre>\n</p><p>Only the 100-continue expectation is supported.</p>"
	case 500:
		if p.phrase == proxyErr {
			text = reason + "<p />"
			break
		}
		if admin == "" {
			admin = "[no address given]"
		}
		text = "<p>The server encountered an internal error or\nmisconfiguration and was unable to complete\nyour request.</p>\n<p>Please contact the server administrator at \n " +
			html.EscapeString(admin) + " to inform them of the time this error occurred,\n and the actions you performed just before this error.</p>\n<p>More information about this error may be available\nin the server error log.</p>"
	}
	if p.note != "" {
		text = strings.TrimSuffix(text, "</p>") + p.note + "</p>"
	}
	if text == "" {
		text = "<p>" + html.EscapeString(p.title()) + "</p>"
	}
	if extra != 0 {
		text += "\n<p>Additionally, a " + strconv.Itoa(extra) + " " + html.EscapeString(statusText(extra)) +
			"\nerror was encountered while trying to use an ErrorDocument to handle the request.</p>"
	}
	title := html.EscapeString(p.title()) // may be a backend's reason
	return "<!DOCTYPE HTML PUBLIC \"-//W3C//DTD HTML 4.01//EN\" \"http://www.w3.org/TR/html4/strict.dtd\">\n<html><head>\n<title>" +
		strconv.Itoa(p.status) + " " + title + "</title>\n</head><body>\n<h1>" + title + "</h1>\n" + text + "\n</body></html>\n"
}

// ErrorPage returns the page for an answer that the front makes itself, before a
// virtual host is known.
func ErrorPage(status int) (contentType string, body []byte) {
	p := &problem{status: status}
	return pageType, []byte(p.page("", "", "", 0))
}
