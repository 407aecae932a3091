"""Sample content, made on the spot: nobody's recording lies in the repository."""

import dataclasses
import os

import sound

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
with open(os.path.join(TOP, "controller", "samples", "areas-lang-son.csv"), encoding="utf-8") as _file:
    AREAS = _file.read()

VOICES = {"vi": "vi", "zh": "cmn", "en": "en"}


@dataclasses.dataclass
class Sample:
    """One bulletin. `texts`: language -> what is read on boards and spoken; `spoken`: language -> other words to speak."""

    id: str
    title: str
    category: str
    texts: dict
    spoken: dict = dataclasses.field(default_factory=dict)
    klass: str = "normal"
    mp3: bool = False
    source: str = ""
    hash: str = ""
    sounds: dict = dataclasses.field(default_factory=dict)  # language -> file


def samples():
    return [
        Sample("huu-nghi", "Đường lên Hữu Nghị tạm dừng", "giao thông",
               {"vi": "Thông báo: đường lên Hữu Nghị tạm dừng để sửa chữa, người dân chú ý"},
               source="12/TB-UBND"),
        Sample("cua-khau", "Thông quan đến 17 giờ", "cửa khẩu",
               {"vi": "Thông quan đến 17 giờ", "zh": "通关至17时", "en": "Open until 17:00"},
               {"vi": "Thông quan đến mười bảy giờ.", "zh": "通关至十七时。", "en": "Open until five."}),
        Sample("tiem-chung", "Lịch tiêm chủng", "y tế",
               {"vi": "Sáng thứ Bảy, trạm y tế xã tiêm chủng cho trẻ em dưới năm tuổi"}, mp3=True),
        Sample("mua-lu", "Đề phòng mưa lũ", "thiên tai",
               {"vi": "Đêm nay có mưa to, bà con ven suối chủ động phòng tránh lũ quét"}, klass="priority",
               source="07/CĐ-PCTT"),
        Sample("khach-trung-quoc", "请在此排队", "cửa khẩu",
               {"zh": "请在此排队。谢谢合作"}),
        Sample("visitors", "Notice to visitors", "cửa khẩu",
               {"en": "Please keep your passport ready for inspection"}),
    ]


def speak(keeper, folder, sample):
    """Speak a sample into WAV (or MP3), one file a language."""
    for language, text in sample.texts.items():
        wav = os.path.join(folder, f"{sample.id}.{language}.wav")
        sound.speak(keeper, VOICES[language], sample.spoken.get(language, text), wav, speed=185)
        if sample.mp3:
            sample.sounds[language] = sound.mp3_of_tone_and(keeper, wav, wav[:-4] + ".mp3")
        else:
            sample.sounds[language] = wav
    return sample
