package ingest

import (
	"context"
	"net"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
)

// Server returns a server for the handler of [New], with a limit on everything that a slow or hostile client could keep
// open. The limits allow a Config.Timeout of up to 20 s. Errors of net/http itself go to the standard logger, which
// slog.SetDefault redirects.
func Server(addr string, handler http.Handler) *http.Server {
	stopping, stop := context.WithCancel(context.Background())
	server := &http.Server{
		BaseContext: func(net.Listener) context.Context {
			return context.WithValue(context.Background(), stoppingKey{}, stopping)
		},
		Addr:              addr,
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
	}
	server.RegisterOnShutdown(stop)
	return server
}

// stoppingKey is under which requests find what ends when their server begins to stop.
type stoppingKey struct{}

// stopping ends when the server of a request begins to stop: what would go on for long, ends with it.
func stopping(ctx context.Context) context.Context {
	if stopping, ok := ctx.Value(stoppingKey{}).(context.Context); ok {
		return stopping
	}
	return ctx
}

// secure sets the headers that keep a response out of caches and keep browsers from treating it as a document.
func secure(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		h := c.Response().Header()
		h.Set(echo.HeaderXContentTypeOptions, "nosniff")
		h.Set(echo.HeaderCacheControl, "no-store")
		h.Set(echo.HeaderContentSecurityPolicy, "default-src 'none'; frame-ancestors 'none'")
		return next(c)
	}
}
