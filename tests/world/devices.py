"""What people join with: SDKs, browsers, systems and devices, as their events describe them."""

from dataclasses import dataclass, field
from random import Random
from typing import Literal

Platform = Literal["js", "ios", "android"]

SDK_NAMES: dict[Platform, str] = {
    "js": "amazon-chime-sdk-js",
    "ios": "amazon-chime-sdk-ios",
    "android": "amazon-chime-sdk-android",
}
NEWEST_CHROME = "143"


@dataclass(frozen=True, slots=True)
class Device:
    """`attributes` go with every event, in every format; `engine` only with format B."""

    platform: Platform
    sdk_version: str
    attributes: dict[str, str]
    engine: dict[str, str] = field(default_factory=dict)

    @property
    def common(self) -> dict[str, str]:
        names = {"sdkName": SDK_NAMES[self.platform], "sdkVersion": self.sdk_version}
        return {**self.attributes, **names}


def browser(
    name: str,
    version: str,
    system: tuple[str, str],
    *,
    sdk_version: str = "3.32.0",
    engine: str = "Blink",
    device: str = "Unavailable",
) -> Device:
    major = version.partition(".")[0]
    return Device(
        "js",
        sdk_version,
        {
            "browserMajorVersion": major,
            "browserName": name,
            "browserVersion": version,
            "deviceName": device,
            "osName": system[0],
            "osVersion": system[1],
        },
        {"engineName": engine, "engineMajorVersion": major},
    )


def iphone(model: str, version: str, *, sdk_version: str = "0.27.2") -> Device:
    return Device(
        "ios",
        sdk_version,
        {
            "deviceName": f"Apple {model}",
            "deviceManufacturer": "Apple",
            "deviceModel": model,
            "osName": "iOS",
            "osVersion": version,
            "mediaSdkVersion": "0.24.1",
        },
    )


def android(maker: str, model: str, version: str, *, sdk_version: str = "0.25.1") -> Device:
    return Device(
        "android",
        sdk_version,
        {
            "deviceName": f"{maker} {model}",
            "deviceManufacturer": maker,
            "deviceModel": model,
            "osName": "Android",
            "osVersion": version,
            "mediaSdkVersion": "0.24.0",
        },
    )


_WINDOWS, _MAC, _LINUX = ("Windows", "11"), ("Mac OS", "15.6"), ("Linux", "Unavailable")

POPULATION: list[tuple[int, Device]] = [
    (22, browser("Chrome", "142.0.7444.60", _WINDOWS)),
    (18, browser("Chrome", f"{NEWEST_CHROME}.0.7499.41", _WINDOWS)),
    (8, browser("Chrome", f"{NEWEST_CHROME}.0.7499.41", _MAC, sdk_version="3.31.0")),
    (7, browser("Microsoft Edge", "142.0.3595.53", _WINDOWS)),
    (7, browser("Safari", "26.1", _MAC, engine="WebKit")),
    (6, browser("Firefox", "145.0", _LINUX, engine="Gecko", sdk_version="3.29.0")),
    (2, browser("Chrome", "139.0.7258.138", ("Chrome OS", "16328.55.0"), sdk_version="2.27.0")),
    (9, iphone("iPhone 16", "26.1")),
    (4, iphone("iPhone 13", "18.7.2", sdk_version="0.26.1")),
    (3, iphone("iPad Pro 11", "26.1")),
    (8, android("samsung", "SM-S931B", "16")),
    (5, android("Google", "Pixel 9", "16")),
    (3, android("Xiaomi", "2409BRN2CA", "14", sdk_version="0.23.0")),
]

RECORDER = browser("Chrome Headless", "138.0.7204.100", ("Linux", "Unavailable"))


def any_device(random: Random) -> Device:
    weights, devices = zip(*POPULATION, strict=True)
    chosen: Device = random.choices(devices, weights=weights)[0]
    return chosen
