/// Refuses for the moment what is more than a share allows.
struct TooBusy: Error {
    let message: String
    let retryAfterSeconds: Int

    init(_ message: String = "the centre has too much to do at once; try again", retryAfterSeconds: Int = 5) {
        (self.message, self.retryAfterSeconds) = (message, retryAfterSeconds)
    }
}
