#pragma once
#include <curl/curl.h>
#include <errno.h>
#include <signal.h>

// curl_easy_setopt and curl_easy_getinfo are variadic, which Swift cannot call.
static inline CURLcode kenh_curl_set_long(CURL *c, CURLoption o, long v) { return curl_easy_setopt(c, o, v); }
static inline CURLcode kenh_curl_set_offset(CURL *c, CURLoption o, curl_off_t v) { return curl_easy_setopt(c, o, v); }
static inline CURLcode kenh_curl_set_string(CURL *c, CURLoption o, const char *v) { return curl_easy_setopt(c, o, v); }
static inline CURLcode kenh_curl_set_pointer(CURL *c, CURLoption o, const void *v) { return curl_easy_setopt(c, o, v); }
typedef size_t (*kenh_curl_data)(char *, size_t, size_t, void *);
static inline CURLcode kenh_curl_set_data(CURL *c, CURLoption o, kenh_curl_data f) { return curl_easy_setopt(c, o, f); }
typedef int (*kenh_curl_progress)(void *, curl_off_t, curl_off_t, curl_off_t, curl_off_t);
static inline CURLcode kenh_curl_set_progress(CURL *c, kenh_curl_progress f) {
    return curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, f);
}
static inline CURLcode kenh_curl_status(CURL *c, long *out) {
    return curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, out);
}
static inline CURLcode kenh_curl_get_long(CURL *c, CURLINFO i, long *out) { return curl_easy_getinfo(c, i, out); }

// Once a process. With CURLOPT_NOSIGNAL libcurl leaves SIGPIPE alone, and a TLS library that writes to a closed
// connection would end the process; a handler that somebody has installed stays.
static inline CURLcode kenh_curl_start(void) {
    struct sigaction action;
    if (sigaction(SIGPIPE, NULL, &action) == 0 && !(action.sa_flags & SA_SIGINFO) && action.sa_handler == SIG_DFL)
        signal(SIGPIPE, SIG_IGN);
    return curl_global_init(CURL_GLOBAL_DEFAULT);
}

// For CURLINFO_OS_ERRNO.
enum { KENH_ECONNREFUSED = ECONNREFUSED, KENH_ETIMEDOUT = ETIMEDOUT };
