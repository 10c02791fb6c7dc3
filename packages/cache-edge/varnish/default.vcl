# A shared cache in front of the app on 127.0.0.1:8900. edge-cache-guide.md says how to start it and what it cannot do.
vcl 4.1;

import directors;
import std;

backend app { .host = "127.0.0.1"; .port = "8900"; .first_byte_timeout = 30s; }
# The same app under a second name: for clients outside of the canary.
backend bypass { .host = "127.0.0.1"; .port = "8900"; .first_byte_timeout = 30s; }

# Who may send PURGE and BAN: the processes of the app.
acl invalidators { "127.0.0.1"; "::1"; }

# Who goes through the cache, by weight. A client is its address, so that it is always on the same side without a cookie.
sub vcl_init {
  new arms = directors.hash();
  arms.add_backend(app, 10.0);
  # Canary: with this line 90 of 100 clients bypass the cache.
  # arms.add_backend(bypass, 90.0);
}

sub vcl_recv {
  # Steps of a request that is started again. Nobody else may set them.
  if (req.restarts == 0) {
    unset req.http.X-Edge-Stage;
    unset req.http.X-Edge-Forward;
  }

  if (req.method == "PURGE" || req.method == "BAN") {
    # Varnish has added the address of its peer: two addresses came through a proxy, which may itself stand in the list.
    if (client.ip !~ invalidators || req.http.X-Forwarded-For ~ ",") { return (synth(405)); }
  } elsif (req.method !~ "^(GET|HEAD|QUERY|POST|PUT|PATCH|DELETE|OPTIONS)$") {
    # The built-in VCL would give the client the connection to the app.
    return (synth(405));
  }

  # What is not in the key must not shape an answer: otherwise one client chooses what the next one gets. Behind a proxy that
  # ends TLS say "https" here.
  if (req.http.Host) { set req.http.Host = std.tolower(regsub(req.http.Host, ":[0-9]+$", "")); }
  set req.http.X-Forwarded-For = client.ip;
  set req.http.X-Forwarded-Proto = "http";
  unset req.http.X-Forwarded-Host;
  unset req.http.X-Forwarded-Port;
  unset req.http.X-Forwarded-Prefix;
  unset req.http.X-Forwarded-Scheme;
  unset req.http.X-Forwarded-Server;
  unset req.http.X-Forwarded-Ssl;
  unset req.http.Forwarded;
  unset req.http.X-Host;
  unset req.http.X-Original-Host;
  unset req.http.X-HTTP-Host-Override;
  unset req.http.X-Original-URL;
  unset req.http.X-Rewrite-URL;
  unset req.http.X-HTTP-Method-Override;
  unset req.http.X-HTTP-Method;
  unset req.http.X-Method-Override;
  set req.url = regsub(req.url, "#.*$", "");

  if (req.method == "PURGE") { return (purge); }
  if (req.method == "BAN") {
    # All that is stored; a tag cannot have this name.
    if (req.http.X-Ban-Tag == "*") {
      if (std.ban("obj.status != 0")) { return (synth(200, "Banned")); }
      return (synth(400, std.ban_error()));
    }
    # One tag, or several with a space between. They become part of an expression: nothing may pass that means something there.
    if (req.http.X-Ban-Tag !~ "^[A-Za-z0-9_:./ -]+$" || req.http.X-Ban-Tag ~ "[^ ]{129}|  ") { return (synth(400, "Bad tag")); }
    # With borders, so that item-1 is not found in item-12.
    if (std.ban("obj.http.Surrogate-Key ~ (^|\s)(" + regsuball(regsuball(req.http.X-Ban-Tag, "\.", "\\."), " ", "|") + ")(\s|$)")) { return (synth(200, "Banned")); }
    return (synth(400, std.ban_error()));
  }

  if (arms.backend("" + client.ip) == bypass) { return (pass); }

  # The content of a QUERY is not in the key, and the built-in VCL does not know the method.
  if (req.method == "QUERY") { return (pass); }

  # Add the headers by which your app knows who asks, as in credentialHeaders; X-User-Id is the one of the example server.
  # Authorization is seen to by the built-in VCL.
  if (req.http.X-User-Id || req.http.Proxy-Authorization || req.http.X-API-Key || req.http.API-Key || req.http.APIKey ||
      req.http.X-Auth-Token || req.http.X-Access-Token) { return (pass); }

  if (req.method == "GET" || req.method == "HEAD") {
    # The body of a GET is not in the key.
    if (req.http.Transfer-Encoding || (req.http.Content-Length && req.http.Content-Length != "0")) { return (pass); }
    # Cookies that no shared answer depends on: name your own. With any other cookie the built-in VCL passes, and so it does with
    # a value that has a character which some parsers take for the end of a cookie (RFC 6265 section 4.1.1).
    std.collect(req.http.Cookie, "; ");
    if (req.http.Cookie ~ "^((_ga|_ga_[A-Z0-9]+|_gid|theme)=[!#-+\x2D-:<-\x5B\x5D-~]*(; *|$))+$") { unset req.http.Cookie; }
  }

  # First nothing stale, so that the app is asked; if it fails, whatever there is. It is kept no longer than stale-if-error says.
  if (req.http.X-Edge-Stage == "refetch") { set req.grace = 0s; }
  # A limit outlives a restart.
  if (req.http.X-Edge-Stage == "on-error") { set req.grace = 365d; }
}

sub vcl_hit {
  set req.http.X-Edge-Forward = "hit";
  if (obj.ttl >= 0s || obj.ttl + std.duration(obj.http.X-Edge-While-Revalidate + "s", 0s) >= 0s || req.http.X-Edge-Stage == "on-error") {
    return (deliver);
  }
  # Stale, past stale-while-revalidate, within stale-if-error.
  set req.http.X-Edge-Stage = "refetch";
  return (restart);
}

sub vcl_miss {
  set req.http.X-Edge-Forward = "fwd=miss";
  if (req.http.X-Edge-Stage == "refetch") { set req.http.X-Edge-Forward = "fwd=stale"; }
}

sub vcl_pass {
  set req.http.X-Edge-Forward = "fwd=bypass";
  if (req.method != "GET" && req.method != "HEAD") { set req.http.X-Edge-Forward = "fwd=method"; }
}

sub vcl_backend_fetch {
  unset bereq.http.X-Edge-Forward;
}

sub vcl_backend_response {
  if (beresp.status >= 500) {
    # Does not replace a stored answer that may still be used.
    if (bereq.is_bgfetch || bereq.http.X-Edge-Stage == "refetch") { return (abandon); }
    set beresp.uncacheable = true;
    set beresp.ttl = 1s;
    return (deliver);
  }

  # Only the app's own headers decide: not Varnish's default lifetime, and not a cookie that is on its way to one client.
  if ((!beresp.http.Expires && beresp.http.Cache-Control !~ "(?i)(^|[,\s])(s-maxage|max-age)\s*=")
      || beresp.http.Cache-Control ~ "(?i)(^|[,\s])(private|no-store|no-cache)"
      || beresp.http.Vary ~ "\*"
      || beresp.http.Set-Cookie) {
    set beresp.uncacheable = true;
    set beresp.ttl = 120s;
    return (deliver);
  }

  # Varnish reads stale-while-revalidate, but also has a default of its own, and knows neither must-revalidate (RFC 9111 section
  # 4.2.4; s-maxage means the same to a shared cache) nor stale-if-error. Grace is the longer of the two windows.
  set beresp.grace = 0s;
  set beresp.http.X-Edge-While-Revalidate = "0";
  if (beresp.http.Cache-Control !~ "(?i)(^|[,\s])(must-revalidate|proxy-revalidate|s-maxage)") {
    if (beresp.http.Cache-Control ~ "(?i)(^|[,\s])stale-while-revalidate=[0-9]") {
      set beresp.http.X-Edge-While-Revalidate = regsub(beresp.http.Cache-Control, "(?i)^.*stale-while-revalidate=([0-9]+).*$", "\1");
      set beresp.grace = std.duration(beresp.http.X-Edge-While-Revalidate + "s", 0s);
    }
    if (beresp.http.Cache-Control ~ "(?i)(^|[,\s])stale-if-error=[0-9]") {
      set beresp.http.X-Edge-If-Error = regsub(beresp.http.Cache-Control, "(?i)^.*stale-if-error=([0-9]+).*$", "\1");
      if (std.duration(beresp.http.X-Edge-If-Error + "s", 0s) > beresp.grace) { set beresp.grace = std.duration(beresp.http.X-Edge-If-Error + "s", 0s); }
      unset beresp.http.X-Edge-If-Error;
    }
  }

  # Past its lifetime it is not served any more, but still spares the app a body: If-None-Match.
  set beresp.keep = 1h;
  unset beresp.http.X-Edge-Revalidated;
  if (beresp.was_304) { set beresp.http.X-Edge-Revalidated = "1"; }

  # For bans, which see the first header of a name alone, and nothing of the request.
  std.collect(beresp.http.Surrogate-Key, " ");
  std.collect(beresp.http.Cache-Groups);
  set beresp.http.X-Edge-Host = bereq.http.Host;
  set beresp.http.X-Edge-Key = bereq.http.Host + bereq.url;
}

sub vcl_backend_error {
  if (bereq.is_bgfetch || bereq.http.X-Edge-Stage == "refetch") { return (abandon); }
  # The error page is Varnish's own: nothing is stored, and Cache-Status must not say so.
  set beresp.uncacheable = true;
}

sub vcl_synth {
  # The app did not answer: now stale-if-error.
  if (req.http.X-Edge-Stage == "refetch" && req.restarts < 3) {
    set req.http.X-Edge-Stage = "on-error";
    return (restart);
  }
}

sub vcl_deliver {
  # RFC 9111 section 4.4: what an unsafe method changed is not served any more.
  if (req.method ~ "^(POST|PUT|PATCH|DELETE)$" && resp.status >= 200 && resp.status < 400) {
    std.ban("obj.http.X-Edge-Key == " + req.http.Host + req.url);

    # RFC 9875 section 3: the groups of this host alone. They become part of an expression, so no character may mean something there. A list
    # with an escape, a parameter or a comma in a string is not read.
    std.collect(resp.http.Cache-Group-Invalidation);
    if (resp.http.Cache-Group-Invalidation ~ {"^"[ !#-+\x2D-\x5B\x5D-~]*"([ \t]*,[ \t]*"[ !#-+\x2D-\x5B\x5D-~]*")*$"}) {
      set req.http.X-Edge-Groups = regsuball(resp.http.Cache-Group-Invalidation, {"[^A-Za-z0-9_", \t]"}, "\\\0");
      set req.http.X-Edge-Groups = regsuball(req.http.X-Edge-Groups, {""[ \t]*,[ \t]*""}, {""|""});
      set req.http.X-Edge-Groups = regsuball(req.http.X-Edge-Groups, " ", "\\x20");
      std.ban("obj.http.X-Edge-Host == " + req.http.Host + " && obj.http.Cache-Groups ~ (^|,)\s*(" + req.http.X-Edge-Groups + ")\s*(;|,|$)");
    }
  }

  # RFC 9211; behind what the app's own cache says.
  if (req.http.X-Edge-Forward == "hit") {
    set req.http.X-Edge-Forward = "hit; ttl=" + regsub(obj.ttl, "\..*$", "");
  } else {
    if (resp.http.X-Edge-Revalidated) { set req.http.X-Edge-Forward = "fwd=stale; fwd-status=304"; }
    if (!obj.uncacheable) { set req.http.X-Edge-Forward = req.http.X-Edge-Forward + "; stored"; }
  }
  std.collect(resp.http.Cache-Status);
  if (resp.http.Cache-Status) {
    set resp.http.Cache-Status = resp.http.Cache-Status + ", varnish; " + req.http.X-Edge-Forward;
  } else {
    set resp.http.Cache-Status = "varnish; " + req.http.X-Edge-Forward;
  }

  unset resp.http.Surrogate-Key;
  unset resp.http.Cache-Tag;
  unset resp.http.X-Edge-Key;
  unset resp.http.X-Edge-Host;
  unset resp.http.X-Edge-Revalidated;
  unset resp.http.X-Edge-While-Revalidate;
  unset resp.http.X-Varnish;
  unset resp.http.Via;
}
