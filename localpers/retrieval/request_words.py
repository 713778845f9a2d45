"""The words in which tasks are put, in ten languages."""

from __future__ import annotations


def _words(lines: str) -> frozenset[str]:
    return frozenset(lines.split())


VERBS = _words(
    """
write draft compose summarize summarise sum explain describe tell give make create produce
generate
prepare rewrite rephrase paraphrase translate list outline brainstorm show find turn convert
shorten
expand answer reply respond talk help need want share collect gather
schreib schreibe schreiben verfasse verfassen verfass entwirf entwerfen formuliere formulieren
fasse
zusammen zusammenfassen erkläre erklär erklären beschreibe beschreiben erzähl erzähle erzählen
erstelle
erstellen gib mach mache machen übersetze übersetzen liste zeig zeige finde sag sage brauche
möchte
écris écrire écrivez rédige rédiger rédigez résume résumer résumez explique expliquer décris
décrire
raconte dis donne donnez fais faire crée créer compose traduis traduire liste montre trouve
voudrais
escribe escribir escríbeme redacta redactar resume resumir explica explicar describe describir
cuéntame
dime dame haz hazme crea crear genera traduce lista muestra muéstrame encuentra quiero necesito
scrivi scrivere scrivimi redigi riassumi riassumere spiega spiegami descrivi racconta raccontami
dimmi
dammi fai fammi crea genera traduci elenca mostra trova vorrei
escreve escreva escrever redija redigir resuma resumir explique explica explicar descreva conta
conte
dá dê faz faça cria crie gera gere traduz traduza lista liste mostra mostre encontra quero preciso
schrijf schrijven vat samen samenvatten leg uit uitleggen beschrijf vertel geef maak maken vertaal
noem toon vind wil
"""
)
QUERYING = _words(
    """
know say said wrote written write note noted mention mentioned think thought learn learned have
has do
does did is are there everything anything something all what which information info happen happened
happening done doing
weiß weiss wissen steht stehen sagen geschrieben habe haben hat gibt es alles etwas gemacht getan
passiert geschehen
sais écrit avons tout quelque chose fait passé s'est arrivé qu'ai ai-je qu'est-ce
sé saben dicen escribí escrito hay todo algo hice pasó hecho
dicono scritto ho c'è tutto qualcosa fatto successo
sei dizem escrevi escrito há tudo algo fiz aconteceu feito
weet staat zeggen schreef geschreven heb heeft alles iets gedaan gebeurde gebeurd
"""
)
NOTES = _words("note notes notiz notizen nota notas appunti notitie notities document documents")
"""What everything here is, so that it tells nothing beside a time: "notes from 2023"."""

TYPES = _words(
    """
tweet tweets post posts toot thread email emails e-mail mail mails letter letters message messages
reply
note notes memo summary summaries overview outline list article articles blog blogpost essay story
poem
haiku limerick song speech talk toast paragraph paragraphs sentence sentences words bullet bullets
points
headline headlines title titles caption captions abstract report reports draft introduction intro
conclusion announcement invitation review description explanation newsletter linkedin twitter
slack
mastodon instagram facebook whatsapp sms press release table tldr ideas questions facts tips
nachricht nachrichten brief briefe beitrag beiträge blogbeitrag artikel zusammenfassung überblick
liste
gedicht geschichte rede absatz absätze satz sätze sätzen worte worten wörter wörtern stichpunkte
stichpunkten überschrift titel bericht entwurf einleitung ankündigung einladung notiz notizen text
aufsatz
antwort erklärung beschreibung ideen fragen
courriel courriels lettre billet article résumé synthèse aperçu liste poème histoire discours
paragraphe
phrase phrases mots titre rapport brouillon introduction annonce invitation note notes texte
réponse
explication idées questions message publication
correo correos carta mensaje publicación entrada artículo resumen lista poema historia discurso
párrafo
frase frases oración oraciones palabras título informe borrador introducción anuncio invitación
nota notas
texto respuesta explicación tuit tuits ideas preguntas
lettera messaggio articolo riassunto elenco poesia storia discorso paragrafo frase frasi parole
titolo
relazione bozza annuncio invito nota note testo risposta appunti
carta mensagem artigo resumo lista poema história discurso parágrafo frase frases palavras título
relatório
rascunho anúncio convite nota notas texto resposta
brief bericht berichten artikel samenvatting overzicht lijst gedicht verhaal toespraak alinea zin
zinnen
woorden titel verslag concept aankondiging uitnodiging notitie notities tekst antwoord
"""
)
MANNERS = _words(
    """
short brief long quick concise friendly formal informal funny nice good great new simple single
first
catchy enthusiastic engaging witty punchy clever creative persuasive warm cheerful humorous sincere
short detailed polite professional casual little small one two three four five six seven eight
nine ten
kurz kurze kurzen kurzer kurzes lange langen freundliche freundlichen formelle formellen lustige
lustigen
neue neuen kleine kleinen zwei drei vier fünf zehn
court courte bref brève long longue petit petite amical amicale deux trois quatre cinq dix
corto corta breve largo larga pequeño pequeña nuevo nueva dos tres cuatro cinco diez
breve corto lungo piccolo piccola nuovo nuova due tre quattro cinque dieci
curto curta longo pequeno pequena novo nova dois duas três quatro
kort korte lang lange klein kleine nieuwe twee drie vier vijf tien
please pls kindly bitte stp svp s'il plaît te vous plait por favor per favore alsjeblieft graag
could can would will you lets let's kannst könntest könnten können sie du würdest peux peut pouvez
pourrais pourriez tu puedes podrías puede puoi potresti pode podes poderia kun kunt je like
"""
)
LAST_VERBS = _words(
    """
schreiben verfassen entwerfen formulieren zusammen zusammenfassen erklären beschreiben erzählen
erstellen machen übersetzen schrijven samen samenvatten uitleggen beschrijven maken vertalen
"""
)
"""Those that end a request where the verb comes last."""
TOPIC = _words(
    """
about regarding concerning covering explaining describing announcing
über zu zum zur von bezüglich
sur concernant concernant
sobre acerca
su sul sulla sui sulle riguardo
over
"""
)
"""What stands before the topic of a text."""
TOPIC_OR_DAY = _words("on")
FOR = _words("for für pour para per voor")
"""What stands between a text and its occasion: "a tweet for the launch"."""
ARTICLES = _words(
    "a an another some ein eine einen einem einer un une uno una um uma een my mein meine meinen"
)
AND = _words("and und et y e en or oder ou o of but aber")
MANNER_STARTS = _words("in as into for als en comme como come con mit with using im auf zu em para")
"""What stands before the form of a text, at the end: "as a haiku", "in two sentences"."""
MANNER_NOUNS = _words(
    "style voice tone words stil ton worten style ton estilo tono stile tom stijl toon english"
    " german"
    " french spanish deutsch englisch anglais français inglés español"
)

HOW = _words("how wie comment cómo como come hoe why warum pourquoi waarom perché")
"""Who begins so asks for what is then named, a task as well."""

CJK_TYPE = (
    "ツイート|投稿|メール|手紙|記事|ブログ|要約|まとめ|メモ|文章|一覧|リスト|俳句|詩|返信|説明|紹介文|報告"
    "|推文|微博|邮件|郵件|电子邮件|信|文章|博客|总结|總結|摘要|笔记|筆記|报告|報告|帖子|消息|介绍|列表|诗"
    "|트윗|게시물|이메일|메일|편지|글|블로그|요약|메모|기사|메시지|보고서|시|답장|설명"
)
CJK_VERB = (
    "書い|書き|書く|作成|作っ|作り|作る|教え|説明|要約|まとめ|翻訳|紹介し|下書き|起草|考え"
    "|写|寫|起草|撰写|撰寫|总结|總結|概括|解释|解釋|介绍一下|翻译|翻譯|列出|告诉|告訴|描述|生成"
    "|써|쓰|작성|요약|설명|정리|알려|만들|번역|말해"
)
