/// How to reach the centre. TLS certificates are always verified.
public struct CurlOptions: Sendable {
    /// "https://centre.example" or "http://10.0.0.5:8080/kenh"; a path is put before each call's own.
    public var baseURL: String
    /// "http://proxy.example:3128", "socks5h://…"; nil goes by `https_proxy`, `http_proxy` and `no_proxy` of the
    /// environment, and an empty text goes directly whatever the environment says.
    public var proxy: String?
    /// A PEM file of certificate authorities instead of the system's.
    public var caBundlePath: String?
    /// HTTP/2 over TLS where the centre offers it (ALPN); HTTP/1.1 otherwise, and always without TLS.
    public var http2: Bool
    public var connectTimeoutSeconds: Int
    /// For the whole exchange, connecting included.
    public var totalTimeoutSeconds: Int
    /// An exchange with fewer bytes a second than this for ``lowSpeedSeconds`` ends; the centre's thinking counts.
    public var lowSpeedBytesPerSecond: Int
    public var lowSpeedSeconds: Int
    /// What an exchange may send or take in a second, on average; 0 for no bound.
    public var rateBytesPerSecond = 0
    public var userAgent: String

    public init(
        baseURL: String,
        proxy: String? = nil,
        caBundlePath: String? = nil,
        http2: Bool = true,
        connectTimeoutSeconds: Int = 10,
        totalTimeoutSeconds: Int = 300,
        lowSpeedBytesPerSecond: Int = 50,
        lowSpeedSeconds: Int = 60,
        userAgent: String = "kenh"
    ) {
        self.baseURL = baseURL
        self.proxy = proxy
        self.caBundlePath = caBundlePath
        self.http2 = http2
        self.connectTimeoutSeconds = connectTimeoutSeconds
        self.totalTimeoutSeconds = totalTimeoutSeconds
        self.lowSpeedBytesPerSecond = lowSpeedBytesPerSecond
        self.lowSpeedSeconds = lowSpeedSeconds
        self.userAgent = userAgent
    }
}
