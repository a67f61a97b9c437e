package httpd

import (
	"strings"
	"testing"
)

// TestOurs: every module that comes with httpd 2.4.71 is known as such, so that
// the LoadModule lines of others are told apart and kept.
func TestOurs(t *testing.T) {
	for name := range strings.FieldsSeq(`access_compat actions alias allowmethods asis auth_basic auth_digest auth_form authn_anon
		authn_core authn_dbd authn_dbm authn_file authn_socache authnz_fcgi authnz_ldap authz_core authz_dbd authz_dbm authz_groupfile
		authz_host authz_owner authz_user autoindex brotli bucketeer buffer cache cache_disk cache_socache case_filter case_filter_in
		cern_meta cgi cgid charset_lite data dav dav_fs dav_lock dbd deflate dialup dir dumpio echo env expires ext_filter file_cache
		filter headers heartbeat heartmonitor http2 ident imagemap include info lbmethod_bybusyness lbmethod_byrequests lbmethod_bytraffic
		lbmethod_heartbeat ldap log_debug log_forensic lua macro md mime mime_magic mpm_event mpm_prefork mpm_worker negotiation proxy
		proxy_ajp proxy_balancer proxy_connect proxy_express proxy_fcgi proxy_fdpass proxy_ftp proxy_hcheck proxy_html proxy_http
		proxy_http2 proxy_scgi proxy_uwsgi proxy_wstunnel ratelimit reflector remoteip reqtimeout request rewrite sed session
		session_cookie session_crypto session_dbd setenvif slotmem_plain slotmem_shm socache_dbm socache_memcache socache_redis
		socache_shmcb speling ssl status substitute suexec unique_id unixd userdir usertrack version vhost_alias watchdog xml2enc
		log_config logio so`) {
		if !ours(name) && name != "so" {
			t.Errorf("%s is taken for a module of others", name)
		}
	}
	for _, name := range []string{"php5", "security2", "perl", "weblogic"} {
		if ours(name) {
			t.Errorf("%s is taken for one of httpd's", name)
		}
	}
}
