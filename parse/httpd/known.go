package httpd

import "strings"

// isKnownDirective answers <IfDirective> for the directives of the stock modules
// that a front end uses.
func isKnownDirective(name string) bool {
	n := strings.ToLower(name)
	return serverOnly[n] || dirOnly[n] || moreDirectives[n]
}

// isKnownSection answers <IfSection>.
func isKnownSection(name string) bool {
	n := strings.ToLower(name)
	return dirSections[n] || conditions[n] || moreSections[n]
}

var moreSections = names(`VirtualHost Files FilesMatch If ElseIf Else Limit LimitExcept RequireAll RequireAny RequireNone Macro
	AuthnProviderAlias AuthzProviderAlias`)

var moreDirectives = names(`ProxyPass ProxyPassMatch ProxyPassReverse ProxyPassReverseCookiePath ProxyPassReverseCookieDomain
	ProxyPreserveHost ProxyErrorOverride ProxyAddHeaders Proxy100Continue ProxyPassInterpolateEnv ProxySet BalancerMember
	SetHandler Header RequestHeader SetEnv UnsetEnv PassEnv SetEnvIf SetEnvIfNoCase SetEnvIfExpr BrowserMatch
	BrowserMatchNoCase ErrorDocument UseCanonicalName LogLevel Options AllowOverride AllowOverrideList DirectoryIndex
	RewriteEngine RewriteRule RewriteCond RewriteBase RewriteOptions Redirect RedirectMatch RedirectPermanent RedirectTemp Alias
	AliasMatch ScriptAliasMatch AddType AddHandler AddOutputFilter SetOutputFilter SetInputFilter ForceType DefaultType AddCharset
	AddDefaultCharset AddEncoding AddLanguage LimitRequestBody LimitRequestLine LimitRequestFields LimitRequestFieldSize
	HostnameLookups FileETag ContentDigest EnableSendfile EnableMMAP AcceptFilter AcceptPathInfo ServerSignature Error Action Script
	SSLOptions SSLRequireSSL SSLVerifyClient SSLVerifyDepth SSLCipherSuite SSLHonorCipherOrder SSLCACertificateFile
	SSLCACertificatePath SSLSessionCache SSLSessionTickets SSLUseStapling SSLStaplingCache SSLProxyVerify SSLProxyCACertificateFile
	SSLProxyCheckPeerName SSLProxyCheckPeerCN SSLProxyCheckPeerExpire SSLProxyMachineCertificateFile SSLProxyCipherSuite SSLCompression
	SSLRandomSeed SSLPassPhraseDialog ExpiresActive ExpiresByType ExpiresDefault RemoteIPHeader RemoteIPInternalProxy
	RemoteIPTrustedProxy Protocols RequestReadTimeout IndexOptions IndexIgnore DirectorySlash FallbackResource LoadModule LoadFile
	Include IncludeOptional Define UnDefine Use UndefMacro DefaultRuntimeDir CoreDumpDirectory ScoreBoardFile ThreadLimit MaxSpareThreads
	MaxConnectionsPerChild MaxRequestsPerChild AsyncRequestWorkerFactor ListenBacklog SendBufferSize ReceiveBufferSize GracefulShutdownTimeout
	ErrorLogFormat Suexec MIMEMagicFile LanguagePriority ForceLanguagePriority CookieTracking CookieName`)
