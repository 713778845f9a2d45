"""The words of time expressions in ten languages, as `retrieval.dates` puts them together."""

from __future__ import annotations


def _numbered(first: int, lists: str) -> dict[str, int]:
    """One list a line, alternatives between slashes: word → its place, from `first`."""
    return {
        word.replace("_", " "): number
        for line in lists.strip().splitlines()
        for number, entry in enumerate(line.split(), first)
        for word in entry.split("/")
    }


def _units(lists: dict[str, str]) -> dict[str, str]:
    return {word: unit for unit, line in lists.items() for word in line.split()}


UNITS = _units(
    {
        "day": "day days tag tage tagen tages jour jours día días dia dias giorno giorni dag dagen",
        "week": "week weeks woche wochen semaine semaines semana semanas settimana settimane weken",
        "weekend": "weekend weekends wochenende week-end finde",
        "month": "month months monat monate monaten monats mois mes meses mese mesi mês maand"
        " maanden",
        "year": "year years jahr jahre jahren jahres an ans année années año años anno anni ano"
        " anos jaar jaren",
    }
)

CJK_UNITS = _units(
    {
        "day": "日 日間 天 일",
        "week": "週間 週 周 星期 个星期 個星期 주 주일",
        "month": "ヶ月 か月 カ月 ヵ月 ヶ月間 か月間 个月 個月 개월 달",
        "year": "年 年間 년",
    }
)

MONTHS = _numbered(
    1,
    """
january february march april may june july august september october november december
jan feb mar apr - jun jul aug sep/sept oct nov dec
januar februar märz april mai juni juli august september oktober november dezember
janvier février mars avril mai juin juillet août septembre octobre novembre décembre
enero febrero marzo abril mayo junio julio agosto septiembre/setiembre octubre noviembre diciembre
gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre
janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro
januari februari maart april mei juni juli augustus september oktober november december
""",
)
MONTHS.pop("-")

WEEKDAYS = _numbered(
    0,
    """
monday tuesday wednesday thursday friday saturday sunday
montag dienstag mittwoch donnerstag freitag samstag/sonnabend sonntag
lundi mardi mercredi jeudi vendredi samedi dimanche
lunes martes miércoles jueves viernes sábado domingo
lunedì martedì mercoledì giovedì venerdì sabato domenica
segunda-feira terça-feira quarta-feira quinta-feira sexta-feira sábado domingo
maandag dinsdag woensdag donderdag vrijdag zaterdag zondag
""",
)

NUMBERS = (
    _numbered(
        1,
        """
one/a/an two three four five six seven eight nine ten eleven twelve
ein/eine/einem/einer/einen zwei drei vier fünf sechs sieben acht neun zehn elf zwölf
un/une deux trois quatre cinq six sept huit neuf dix onze douze
un/una/uno/um/uma dos/due/dois/duas tres/tre/três cuatro/quattro/quatro cinco/cinque seis/sei
een twee drie vier vijf zes zeven acht negen tien elf twaalf
一 二 三 四 五 六 七 八 九 十
한 두 세 네 다섯 여섯
""",
    )
    | {"两": 2, "兩": 2, "a couple of": 2, "couple of": 2, "a few": 3, "few": 3, "several": 4}
    | {"einige": 3, "einigen": 3, "ein paar": 3, "paar": 3, "quelques": 3, "unos": 3, "unas": 3}
    | {"数": 3, "几": 3, "幾": 3}
)

FIXED = {
    word.replace("_", " "): (unit, back)
    for (unit, back), line in {
        (
            "day",
            0,
        ): "today tonight this_morning heute aujourd'hui aujourd’hui hoy oggi hoje vandaag",
        ("day", 1): "yesterday last_night gestern hier ayer ieri ontem gisteren",
        ("day", 2): "the_day_before_yesterday day_before_yesterday vorgestern avant-hier anteayer"
        " antes_de_ayer l'altro_ieri anteontem eergisteren",
    }.items()
    for word in line.split()
}

CJK_FIXED = {
    word: (unit, back)
    for (unit, back), line in {
        ("day", 0): "今日 本日 きょう 今天 오늘",
        ("day", 1): "昨日 きのう 昨夜 昨晩 昨天 어제",
        ("day", 2): "一昨日 おととい 前天 그제 그저께",
        ("week", 0): "今週 这周 本周 这个星期 这星期 這週 本週 這個星期 이번주 이번_주",
        ("week", 1): "先週 上周 上星期 上个星期 上礼拜 上週 上個星期 上禮拜 지난주 지난_주",
        ("week", 2): "先々週 上上周 上上週 지지난주",
        ("weekend", 1): "先週末 上周末 上週末 지난_주말",
        ("month", 0): "今月 这个月 本月 這個月 이번달 이번_달",
        ("month", 1): "先月 上个月 上月 上個月 지난달 지난_달",
        ("month", 2): "先々月 上上个月 上上個月",
        ("year", 0): "今年 本年 올해",
        ("year", 1): "去年 昨年 작년 지난해 지난_해",
        ("year", 2): "一昨年 おととし 前年 재작년",
    }.items()
    for word in (entry.replace("_", " ") for entry in line.split())
}


def _words(lines: str) -> frozenset[str]:
    return frozenset(word.replace("_", " ") for word in lines.split())


LAST_BEFORE = _words(
    "last past previous this_past letzte letzten letzter letztes letztem vorige vorigen voriger"
    " voriges vergangene vergangenen vergangener vergangenes última último ultima ultimo vorig"
    " afgelopen"
)
LAST_AFTER = _words(
    "dernière dernier passée passé précédente précédent pasada pasado passada passado scorsa scorso"
)
THIS = _words(
    "this current diese dieser dieses diesen diesem laufenden cette cet ce esta este questa questo"
    " deze dit"
)
PAST_MANY = _words(
    "last past previous letzten vergangenen derniers dernières últimos últimas ultimi ultime"
    " afgelopen laatste"
)
AGO_BEFORE = _words("vor il_y_a hace há")
AGO_AFTER = _words("ago earlier fa geleden atrás")
IN = _words("in im en em during durant durante")
SINCE = _words("since after seit nach depuis après desde después_de depois_de dal dopo_il sinds na")
BEFORE = _words("before until vor bis avant jusqu'en antes_de hasta até prima_del voor tot")
CJK_AGO = _words("前 以前 之前 전")
CJK_PAST = _words("過去 ここ 直近 最近 过去 近 지난 최근")

RECENT = _words(
    "latest newest recent recently lately neueste neuesten neuester neuestes kürzlich zuletzt"
    " jüngst jüngste jüngsten récent récents récente récentes récemment reciente recientes"
    " recientemente recente recenti recentes recentemente recent_geschreven onlangs"
)
CJK_RECENT = _words("最近 最新 近来 近來 최근 최신")

NOT_A_YEAR = _words(
    "words word tokens characters wörter worten zeichen mots palabras parole woorden"
)
