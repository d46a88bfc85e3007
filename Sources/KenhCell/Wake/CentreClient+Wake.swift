import KenhProtocol

extension CentreClient {
    static let wakePath = "/v1/wake"
    private static let refusalLimitBytes = 64 << 10

    /// Opens the stream of `GET /v1/wake` and blocks until it ends. Nothing of it is signed: it is a hint that a sync may
    /// be worth while, and no more is believed.
    ///
    /// - Parameter take: gets the stream's bytes; false ends it.
    /// - Returns: why there is no stream any more, and that in words.
    package func listen(
        over transport: any EventTransport, centre: PublicKey, stallMilliseconds: Int64,
        take: @escaping ([UInt8]) -> Bool
    ) -> (ending: WakeSchedule.Ending, reason: String) {
        var hasBegun = false
        var offset: Int64 = 0
        do {
            for _ in 0..<2 {
                let (call, nonce) = try signed(
                    Request(method: "GET", path: Self.wakePath, limitBytes: Self.refusalLimitBytes), offset: offset)
                let reply = try transport.stream(call, stallMilliseconds: stallMilliseconds) { bytes in
                    hasBegun = true
                    return take(bytes)
                }
                if reply.status == 200 {
                    return hasBegun
                        ? (.ended, "the stream ended") : (.refused(retryAfterSeconds: nil), "the answer is no stream")
                }
                if reply.status == 404 || reply.status == 405 {
                    return (.notOffered, "the centre does not wake its cells; the schedule does without")
                }
                let answer = try CentreAnswer(reply, to: call, nonce: nonce) { _ in centre }
                guard let lack = self.offset(in: answer), offset == 0 else {
                    return (.refused(retryAfterSeconds: reply.retryAfterSeconds), answer.failure.message)
                }
                offset = lack
            }
        } catch let error as TransportError {
            return (hasBegun ? .ended : .unreached, error.message)
        } catch { return (.refused(retryAfterSeconds: nil), "\(error)") }
        return (.refused(retryAfterSeconds: nil), "the centre refused the time that it had told")
    }
}
