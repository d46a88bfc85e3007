// swift-tools-version: 6.2
import Foundation
import PackageDescription

let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

/// A library or program of Kenh's own; what each may import is in CONTRIBUTING.md and tested.
func kenh(_ name: String, _ dependencies: [Target.Dependency], exclude: [String] = []) -> Target {
    .target(name: name, dependencies: dependencies, exclude: exclude, swiftSettings: settings)
}

func tests(_ name: String, _ dependencies: [Target.Dependency], exclude: [String] = []) -> Target {
    .testTarget(name: name, dependencies: dependencies, exclude: exclude, swiftSettings: settings)
}

let protobuf = Target.Dependency.product(name: "SwiftProtobuf", package: "swift-protobuf")
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let grdb = Target.Dependency.product(name: "GRDB", package: "GRDB.swift")
let structuredFields = Target.Dependency.product(
    name: "RawStructuredFieldValues", package: "swift-http-structured-headers")
let hummingbird = Target.Dependency.product(name: "Hummingbird", package: "hummingbird")
let hummingbirdCore = Target.Dependency.product(name: "HummingbirdCore", package: "hummingbird")
let hummingbirdTLS = Target.Dependency.product(name: "HummingbirdTLS", package: "hummingbird")
let hummingbirdTesting = Target.Dependency.product(name: "HummingbirdTesting", package: "hummingbird")
let lifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let unixSignals = Target.Dependency.product(name: "UnixSignals", package: "swift-service-lifecycle")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let metrics = Target.Dependency.product(name: "Metrics", package: "swift-metrics")
let yams = Target.Dependency.product(name: "Yams", package: "Yams")
let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let configuration = Target.Dependency.product(name: "Configuration", package: "swift-configuration")
let httpTypes = Target.Dependency.product(name: "HTTPTypes", package: "swift-http-types")
let nioSSL = Target.Dependency.product(name: "NIOSSL", package: "swift-nio-ssl")
let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")

let package = Package(
    name: "kenh",
    platforms: [.macOS(.v15)],
    products: [
        .executable(name: "kenh", targets: ["kenh"]),
        .library(name: "KenhMerge", targets: ["KenhMerge"]),
        .library(name: "KenhProtocol", targets: ["KenhProtocol"]),
        .library(name: "KenhStore", targets: ["KenhStore"]),
        .library(name: "KenhCell", targets: ["KenhCell"]),
        .library(name: "KenhHub", targets: ["KenhHub"]),
        .library(name: "KenhHTTP", targets: ["KenhHTTP"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-configuration", from: "1.4.0", traits: ["JSON", "YAML"]),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.0"),
        .package(url: "https://github.com/apple/swift-http-structured-headers", from: "1.7.0"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.0"),
        .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
        .systemLibrary(name: "CCurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"])]),
        .systemLibrary(name: "CSQLite", pkgConfig: "sqlite3", providers: [.apt(["libsqlite3-dev"])]),

        .target(name: "CFaultFS", dependencies: ["CSQLite"]),
        kenh("KenhMerge", []),
        kenh("KenhProtocol", ["KenhMerge", "CZstd", protobuf, crypto, structuredFields]),
        kenh("KenhStore", ["KenhMerge", "KenhProtocol", "CSQLite", grdb]),
        kenh("KenhCell", ["KenhMerge", "KenhProtocol", "KenhStore", "CCurl", lifecycle, logging, metrics]),
        kenh("KenhHub", ["KenhMerge", "KenhProtocol", "KenhStore", crypto]),
        kenh(
            "KenhHTTP",
            [
                "KenhProtocol", "KenhHub", hummingbird, hummingbirdCore, hummingbirdTLS, nioSSL, httpTypes, nioCore,
                lifecycle, logging,
                metrics,
            ]),
        kenh("KenhSettings", ["KenhCell", configuration]),
        kenh("KenhWords", []),
        kenh("KenhProgramme", ["KenhStore", "KenhWords", yams]),
        .executableTarget(
            name: "kenh",
            dependencies: [
                "KenhMerge", "KenhProtocol", "KenhStore", "KenhCell", "KenhHub", "KenhHTTP", "KenhSettings",
                "KenhWords",
                "KenhProgramme", argumentParser, lifecycle, unixSignals, logging,
            ],
            swiftSettings: settings),
        kenh(
            "KenhTesting",
            [
                "CFaultFS", "KenhMerge", "KenhProtocol", "KenhStore", "KenhCell", "KenhHub", "KenhHTTP",
                "KenhProgramme", logging,
            ]),
        kenh(
            "KenhFuzzing",
            ["KenhMerge", "KenhProtocol", "KenhStore", "KenhCell", "KenhHub", "KenhSettings", grdb]),
        .executableTarget(
            name: "kenh-bench",
            dependencies: [
                "KenhMerge", "KenhProtocol", "KenhStore", "KenhCell", "KenhHub", "KenhHTTP", "KenhTesting", "CSQLite",
                "CZstd", lifecycle, logging,
            ],
            path: "Tests/Benchmarks/kenh-bench",
            swiftSettings: settings),
        .executableTarget(
            name: "kenh-sim", dependencies: ["KenhTesting"], path: "Tests/Simulator/kenh-sim", swiftSettings: settings),

        tests("KenhMergeTests", ["KenhMerge", "KenhTesting"]),
        tests("KenhProtocolTests", ["KenhMerge", "KenhProtocol", "KenhTesting", crypto]),
        tests("KenhStoreTests", ["KenhMerge", "KenhProtocol", "KenhStore", "KenhTesting", grdb]),
        tests("KenhCellTests", ["KenhCell", "KenhMerge", "KenhProtocol", "KenhStore", "KenhTesting"]),
        tests("KenhHubTests", ["KenhCell", "KenhHub", "KenhMerge", "KenhProtocol", "KenhStore", "KenhTesting"]),
        tests(
            "KenhHTTPTests",
            [
                "KenhHTTP", "KenhHub", "KenhProtocol", "KenhStore", "KenhTesting", hummingbird, hummingbirdTesting,
                httpTypes,
            ]),
        tests("KenhProgrammeTests", ["KenhProgramme", "KenhWords", "KenhStore", "KenhTesting"]),
        tests(
            "SimulationTests",
            ["KenhMerge", "KenhProtocol", "KenhStore", "KenhCell", "KenhHub", "KenhTesting", "KenhProgramme"]),
        tests(
            "EndToEndTests", ["KenhStore", "KenhProgramme", "KenhTesting", "kenh"],
            exclude: ["check_demo.py", "make_certificates.py"]),
        tests("FuzzTests", ["KenhFuzzing"], exclude: ["Corpus"]),
        tests("ArchitectureTests", []),
    ]
)

// libFuzzer brings its own main, so its program is there only for who asks for it.
if ProcessInfo.processInfo.environment["KENH_FUZZ"] == "1" {
    package.targets.append(
        .executableTarget(
            name: "kenh-fuzz", dependencies: ["KenhFuzzing"], path: "Tests/Fuzzers/kenh-fuzz",
            swiftSettings: settings + [.unsafeFlags(["-parse-as-library"])],
            linkerSettings: [.unsafeFlags(["-use-ld=lld"])]))
}
