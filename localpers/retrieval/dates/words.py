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
        "quarter": "quarter quarters quartal quartale quartalen quartals trimestre trimestres"
        " trimestri kwartaal kwartalen",
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
        "quarter": "四半期 季度 个季度 個季度 분기",
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
        ("week", 2): "先々週 先先週 上上周 上上週 上上星期 上上个星期 上上個星期 上上礼拜 지지난주"
        " 지지난_주 저저번주",
        ("weekend", 1): "先週末 上周末 上週末 지난_주말",
        ("month", 0): "今月 这个月 本月 這個月 이번달 이번_달",
        ("month", 1): "先月 上个月 上月 上個月 지난달 지난_달",
        ("month", 2): "先々月 先先月 上上个月 上上個月 上上月 지지난달 지지난_달",
        ("quarter", 0): "今四半期 本季度 这个季度 這個季度 이번_분기",
        ("quarter", 1): "前四半期 先四半期 上季度 上个季度 上個季度 지난_분기",
        ("year", 0): "今年 本年 올해",
        ("year", 1): "去年 昨年 작년 지난해 지난_해",
        ("year", 2): "一昨年 おととし 前年 재작년 지지난해",
    }.items()
    for word in (entry.replace("_", " ") for entry in line.split())
}


def _words(lines: str) -> frozenset[str]:
    return frozenset(word.replace("_", " ") for word in lines.split())


SEASONS = _numbered(
    0,
    """
spring summer autumn/fall winter
frühling/frühjahr/frühlings/frühjahrs sommer/sommers herbst/herbsts/herbstes winter/winters
printemps été automne hiver
primavera verano otoño invierno
primavera estate autunno inverno
primavera verão outono inverno
lente/voorjaar zomer herfst/najaar winter
""",
)
CJK_SEASONS = _numbered(
    0, "春天/春季 夏天/夏季 秋天/秋季 冬天/冬季\n봄 여름 가을 겨울\n春 夏 秋 冬"
)
NOT_A_SEASON = _words(
    "boot framework security data mvc cloud batch webflux bean beans roll cleaning"
    " back off apart asleep into through behind over"
)
"""What makes of the word before it something else: Spring Boot, to fall back."""

ORDINALS = _numbered(
    1,
    """
first second third fourth
erstes/ersten/erste zweites/zweiten/zweite drittes/dritten/dritte viertes/vierten/vierte
premier deuxième troisième quatrième
primer segundo tercer cuarto
primo secondo/deuxième terzo quarto
primeiro segundo terceiro quarto
eerste tweede derde vierde
""",
)

ITALIAN = _words(
    "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre"
    " lunedì martedì mercoledì giovedì venerdì sabato domenica ieri oggi"
)
"""What "da" is "since" before: in German and Portuguese it is another word."""

LAST_BEFORE = _words(
    "last past previous this_past letzte letzten letzter letztes letztem vorige vorigen voriger"
    " voriges vergangene vergangenen vergangener vergangenes última último ultima ultimo"
    " scorsa scorso vorig afgelopen"
)
LAST_AFTER = _words(
    "dernière dernier passée passé précédente précédent pasada pasado passada passado scorsa scorso"
)
BEFORE_LAST = _words(
    "vorletzte vorletzten vorletzter vorletztes vorvorige vorvorigen avant-dernière avant-dernier"
    " penúltima penúltimo penultima penultimo voorlaatste eervorige eervorig"
)
BEFORE_LAST_AFTER = _words("before_last antepasada antepasado retrasada retrasado")
THIS = _words(
    "this current diese dieser dieses diesen diesem laufenden cette cet ce esta este nesta neste"
    " questa questo quest' deze dit"
)
PAST_MANY = _words(
    "last past previous letzten vergangenen derniers dernières últimos últimas ultimi ultime"
    " afgelopen laatste"
)
FOR = _words("seit depuis sinds")
"""Before "three weeks": the past three."""
AGO_BEFORE = _words("vor il_y_a hace há")
AGO_AFTER = _words("ago earlier fa geleden atrás")
IN = _words("in im en em during durant durante")
IN_SEASON = _words("au no na d' nel nella nell'")
ON = _words("on am el em no na op")
ON_DAY = _words("le il den dem the")
"""Before the 5th of March, not before Monday, of which they make every one."""
ARTICLES = _words(
    "the der die das dem den des le la les l' el il lo los o a os as de het ao à zum zur"
)
OF = _words(
    "of of_the_year de del di do da des dell' della van in im en em from"
    " des_jahres de_l'année del_año do_ano dell'anno van_het_jaar"
)

SINCE = _words(
    "since as_of seit ab depuis dès à_partir_de à_partir_du desde a_partir_de a_partir_del"
    " a_partir_do a_partir_da a_partire_da a_partire_dal da dal dalla dall' sinds vanaf"
)
AFTER = _words(
    "after later_than newer_than nach après después_de después_del tras depois_de depois_do"
    " depois_da após dopo dopo_il dopo_la na na_de"
)
BEFORE = _words(
    "before prior_to earlier_than older_than vor avant avant_le antes_de antes_del antes_do"
    " antes_da prima_di prima_del prima_della prima_dell' voor"
)
UNTIL = _words(
    "until till up_to bis bis_zum bis_zur bis_einschließlich jusqu'à jusqu'au jusqu'en hasta"
    " fino_a fino_al fino_alla até tot tot_en_met"
)
CJK_BOUNDS = {
    word: bound
    for bound, line in {
        "since": "以降 以来 以來 以后 以後 から 起 开始 開始 이후 부터 이래",
        "after": "より後 の後 之后 之後 后 後",
        "before": "以前 より前 の前 之前 前 이전 전에",
        "until": "まで 为止 為止 까지",
    }.items()
    for word in line.split()
}
CJK_NOT_BEFORE = {
    "起": "草点點源诉訴伏初",
    "前": "半期回日年月週",
    "后": "半期来端",
    "後": "半期來端輩",
    "初": "めて次回日詣級级",
    "初め": "て",
    "末": "日尾",
}
"""What makes of them the beginning of another word."""

NOT_BEFORE = {
    "na": _words("semana primavera última segunda-feira terça-feira quarta-feira quinta-feira")
    | _words("sexta-feira"),
    "im": frozenset({"fall"}),
    **dict.fromkeys(["in", "since", "after", "before", "until", "till"], frozenset({"mars"})),
}
"""What such a word does not go with: "na" is "after" in Dutch, and "in the" in Portuguese."""

PARTS = {
    word.replace("_", " "): part
    for part, line in {
        (
            0,
            1,
            3,
        ): "early beginning_of start_of anfang début début_de début_du au_début_de principios_de"
        " comienzos_de inizio inizio_di inizio_del início_de início_do começo_de begin begin_van",
        (1, 2, 3): "mid mid- middle_of mitte mi mi- milieu_de mediados_de metà metà_di metà_del"
        " meados_de meados_do midden half_van",
        (
            2,
            3,
            3,
        ): "late end_of ende fin fin_de fin_du finales_de fines_de a_fine fine_di fine_del final_de"
        " final_do fim_de fim_do eind einde eind_van einde_van",
        (0, 1, 2): "first_half_of",
        (1, 2, 2): "second_half_of",
    }.items()
    for word in line.split()
}
CJK_PARTS = {
    word: part
    for part, line in {
        (0, 1, 3): "初 初め 初頭 初头 年初 はじめ 上旬 초 초반",
        (1, 2, 3): "半ば 中旬 年中 中期 중순 중반",
        (2, 3, 3): "末 底 年底 年末 月底 下旬 終わり 말 하순 후반",
        (0, 1, 2): "前半 上半年 상반기",
        (1, 2, 2): "後半 后半 下半年 하반기",
    }.items()
    for word in line.split()
}

OPENERS = {
    **dict.fromkeys(_words("between zwischen entre fra tra tussen"), "between"),
    **dict.fromkeys(_words("from von vom de du del da dal dalla desde do van 从 從 自 在"), "from"),
}
CONNECTORS = {
    **dict.fromkeys(_words("and und et y e en"), "and"),
    **dict.fromkeys(
        _words(
            "to until till through bis bis_zum bis_zur à au al a até ao hasta tot t/m tot_en_met"
        ),
        "to",
    ),
}
CJK_CONNECTORS = {
    **dict.fromkeys(_words("から 到 至 부터 에서"), "to"),
    **dict.fromkeys(_words("と 和 与 與 과 와"), "and"),
}
CJK_CLOSERS = {
    **dict.fromkeys(_words("まで 为止 為止 까지"), "until"),
    **dict.fromkeys(_words("の間 之间 之間 사이"), "between"),
}
CJK_SINCE_BEFORE = _words("从 從 自 自从 自從")
CJK_LAST = _words("지난 上个 上個")
CJK_THIS = _words("この 这个 這個 이번")
CJK_IN = _words("在")
CJK_IN_AFTER = _words("に 에")
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
NO_YEAR_AFTER = ("+", "#", "version", "versión", "versione", "versão", "versie")
"""Before a number that only looks like a year."""
NO_MONTH_BEFORE = _words("be not have also come cause need rain i we you it they he she")
"""After "may", the verb."""
VERBS = frozenset({"may", "march"})
