//! The words that made-up texts are made of: the commonest of each language first, as `pick_early` draws them.
//!
//! The lists are long enough, and mixed with enough made-up words, that texts compress as real ones do. They are kept from rustfmt, which would give each word
//! a line of its own.

/// How a language is written.
#[derive(Debug)]
pub(super) struct Language {
    /// What posts in it say their languages are.
    pub(super) tags: &'static [&'static str],
    /// Percent of people who write in it.
    pub(super) share: u64,
    /// The most words (of `words`) that a post has: a post holds 300 characters.
    pub(super) most_words: u64,
    /// No word begins beyond so many bytes.
    pub(super) most_bytes: usize,
    /// Percent of words that are not from the list.
    pub(super) rare: u64,
    pub(super) words: &'static [&'static str],
    /// What ends a sentence.
    pub(super) stops: &'static [&'static str],
    /// Where words are written without spaces: characters, of three bytes each, for those not from the list.
    pub(super) characters: &'static str,
}

/// All of them, with shares that make 100.
pub(super) const LANGUAGES: &[Language] = &[
    Language {
        tags: &["en"],
        share: 52,
        most_words: 60,
        most_bytes: 275,
        rare: 9,
        words: ENGLISH,
        stops: LATIN_STOPS,
        characters: "",
    },
    Language {
        tags: &["ja"],
        share: 17,
        most_words: 60,
        most_bytes: 780,
        rare: 34,
        words: JAPANESE,
        stops: JAPANESE_STOPS,
        characters: JAPANESE_CHARACTERS,
    },
    Language {
        tags: &["pt"],
        share: 8,
        most_words: 60,
        most_bytes: 275,
        rare: 10,
        words: PORTUGUESE,
        stops: LATIN_STOPS,
        characters: "",
    },
    Language {
        tags: &["de"],
        share: 4,
        most_words: 44,
        most_bytes: 275,
        rare: 14,
        words: GERMAN,
        stops: LATIN_STOPS,
        characters: "",
    },
    Language {
        tags: &["es", "en"],
        share: 4,
        most_words: 56,
        most_bytes: 275,
        rare: 12,
        words: SPANISH,
        stops: LATIN_STOPS,
        characters: "",
    },
    Language {
        tags: &["ko"],
        share: 3,
        most_words: 44,
        most_bytes: 640,
        rare: 0,
        words: KOREAN,
        stops: LATIN_STOPS,
        characters: "",
    },
    Language {
        tags: &["fr"],
        share: 3,
        most_words: 50,
        most_bytes: 275,
        rare: 12,
        words: FRENCH,
        stops: LATIN_STOPS,
        characters: "",
    },
    Language {
        tags: &["en-US", "en"],
        share: 3,
        most_words: 58,
        most_bytes: 275,
        rare: 10,
        words: ENGLISH,
        stops: LATIN_STOPS,
        characters: "",
    },
    Language {
        tags: &[],
        share: 2,
        most_words: 60,
        most_bytes: 275,
        rare: 10,
        words: ENGLISH,
        stops: LATIN_STOPS,
        characters: "",
    },
    Language {
        tags: &["ru"],
        share: 2,
        most_words: 44,
        most_bytes: 480,
        rare: 0,
        words: RUSSIAN,
        stops: LATIN_STOPS,
        characters: "",
    },
    Language {
        tags: &["ar"],
        share: 1,
        most_words: 44,
        most_bytes: 460,
        rare: 0,
        words: ARABIC,
        stops: ARABIC_STOPS,
        characters: "",
    },
    Language {
        tags: &["tr"],
        share: 1,
        most_words: 44,
        most_bytes: 275,
        rare: 10,
        words: TURKISH,
        stops: LATIN_STOPS,
        characters: "",
    },
];

const LATIN_STOPS: &[&str] = &[". ", ". ", "! ", ".\n\n", "? ", "... ", " ", " \"", ".\n"];
const ARABIC_STOPS: &[&str] = &["، ", ". ", "؟ ", "\n"];
const JAPANESE_STOPS: &[&str] = &["、", "。", "！", "……", "\n", "？"];

const JAPANESE_CHARACTERS: &str = "亜愛悪圧安案以位囲委意易異移胃衣違遺医井育一壱逸稲芋印員因引飲院陰隠韻右宇羽雨渦浦運雲営影映栄永泳英衛鋭液疫益駅悦園宴延援演炎煙猿縁遠鉛塩汚央奥往応押横王黄岡億屋恩温音下化仮何価佳加可夏嫁家科果歌河火花荷課貨過画芽賀雅介会解回塊壊快改械海灰界皆絵開階貝外害街角各拡格核確覚革学楽額割活滑株寒刊勘巻完官干幹患感慣換敢歓汗漢環甘監看管簡観間関館丸岸岩願顔危喜器基奇寄岐希幾揮机旗期機帰気季記規貴起輝アイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘホマミムメモヤユヨラリルレロワン";

/// The parts of made-up words.
#[rustfmt::skip]
pub(super) const SYLLABLES: &[&str] = &[
    "a", "ba", "ber", "bi", "bo", "ca", "ce", "chi", "co", "da", "de", "den", "di", "do", "dra", "el",
    "en", "er", "fa", "fi", "flo", "fo", "ga", "gar", "ge", "gi", "go", "gra", "ha", "he", "hi", "ho",
    "i", "in", "ja", "jo", "ka", "ke", "ki", "ko", "ku", "la", "le", "li", "lo", "lu", "ma", "man", "me",
    "mi", "mo", "mu", "na", "ne", "ni", "no", "nu", "o", "on", "or", "pa", "pe", "pi", "po", "pri", "qua",
    "ra", "re", "ri", "ro", "ru", "sa", "se", "sha", "si", "so", "sta", "su", "ta", "te", "ter", "ti",
    "to", "tri", "tu", "u", "va", "ve", "vi", "vo", "wa", "we", "wi", "wo", "xa", "ya", "yo", "za", "zi",
    "zo",
];

#[rustfmt::skip]
pub(super) const EMOJI: &[&str] = &[
    "😂", "🥰", "😭", "🔥", "❤️", "✨", "🙏", "👍", "💦", "🎉", "😍", "🤣", "💙", "😊", "🥲", "👀", "💕", "😅", "🤔", "💀",
    "🫠", "🥺", "🌸", "☀️", "🐱", "🎶", "📸", "🏳️‍⚧️", "🏳️‍🌈", "👇", "➡️", "🇺🇦", "🔞", "🌊", "🍕", "🚀",
];

/// Where links lead.
#[rustfmt::skip]
pub(super) const SITES: &[&str] = &[
    "www.theguardian.com", "www.nytimes.com", "www.bbc.com/news", "open.substack.com", "apnews.com",
    "www.reuters.com", "www.washingtonpost.com", "www.instagram.com/p", "www.tumblr.com", "github.com",
    "medium.com", "www.ufofeed.com", "www.cnn.com", "arstechnica.com", "www.lemonde.fr", "www.spiegel.de",
    "g1.globo.com", "www3.nhk.or.jp", "www.pixiv.net/artworks", "bsky.app/profile", "www.twitch.tv",
    "ko-fi.com", "www.etsy.com/listing", "www.aljazeera.com", "edition.cnn.com",
];

#[rustfmt::skip]
const ENGLISH: &[&str] = &[
    "the", "to", "and", "of", "a", "I", "is", "in", "it", "that", "for", "you", "on", "this", "my",
    "with", "be", "have", "not", "are", "was", "but", "so", "just", "they", "at", "all", "like", "as",
    "what", "we", "if", "do", "your", "can", "out", "about", "me", "up", "one", "no", "get", "people",
    "know", "don't", "when", "or", "good", "from", "time", "how", "now", "there", "will", "see", "really",
    "think", "more", "an", "would", "because", "it's", "going", "want", "make", "I'm", "their", "by",
    "who", "love", "day", "them", "some", "new", "here", "even", "has", "still", "been", "only", "than",
    "that's", "back", "year", "other", "need", "way", "then", "thing", "never", "work", "look", "right",
    "over", "being", "something", "got", "too", "very", "today", "well", "also", "should", "much", "feel",
    "first", "can't", "into", "little", "great", "he", "she", "him", "her", "his", "life", "had", "why",
    "could", "which", "say", "take", "down", "after", "things", "off", "man", "where", "always", "better",
    "two", "any", "world", "every", "those", "actually", "trying", "best", "years", "last", "long",
    "these", "home", "game", "same", "around", "maybe", "before", "most", "doing", "us", "find", "made",
    "another", "art", "everyone", "thank", "thanks", "someone", "keep", "bad", "people's", "sure", "yes",
    "next", "big", "happy", "old", "give", "night", "real", "read", "watch", "week", "post", "came",
    "yeah", "through", "please", "live", "while", "nothing", "help", "without", "show", "myself", "cat",
    "dog", "coffee", "weather", "music", "book", "books", "morning", "tonight", "tomorrow", "hope",
    "guess", "kind", "pretty", "though", "enough", "place", "end", "lot", "start", "stop", "play",
    "story", "thought", "friends", "family", "house", "money", "city", "school", "country", "news",
    "vote", "government", "president", "law", "court", "party", "history", "water", "food", "light",
    "black", "white", "red", "blue", "green", "yellow", "small", "high", "hard", "easy", "early", "late",
    "left", "public", "power", "state", "company", "business", "health", "child", "children", "woman",
    "women", "person", "human", "body", "hand", "heart", "head", "eyes", "face", "name", "word", "words",
    "question", "answer", "problem", "idea", "point", "fact", "reason", "case", "side", "line", "kids",
    "team", "season", "match", "goal", "player", "final", "episode", "character", "movie", "film",
    "series", "song", "album", "band", "voice", "sound", "picture", "photo", "photos", "drawing",
    "sketch", "commission", "stream", "streaming", "twitch", "channel", "video", "online", "internet",
    "phone", "computer", "code", "software", "update", "project", "design", "build", "open", "source",
    "data", "science", "research", "study", "climate", "energy", "war", "peace", "rights", "trans",
    "queer", "community", "support", "donate", "share", "repost", "follow", "followers", "timeline",
    "algorithm", "absolutely", "literally", "honestly", "probably", "finally", "definitely", "basically",
    "apparently", "especially", "unfortunately", "seriously", "everything", "anything", "anyone",
    "himself", "beautiful", "wonderful", "terrible", "amazing", "weird", "gorgeous", "ridiculous",
    "brilliant", "delicious", "exhausted", "excited", "grateful", "lovely", "cozy", "rain", "snow",
    "summer", "winter", "autumn", "spring", "sunday", "monday", "tuesday", "wednesday", "thursday",
    "friday", "saturday", "january", "february", "march", "april", "june", "july", "august", "september",
    "october", "november", "december", "mountains", "ocean", "river", "forest", "garden", "flowers",
    "kitchen", "dinner", "breakfast", "lunch", "cheese", "bread", "pizza", "chicken", "chocolate",
    "sugar", "train", "flight", "airport", "hotel", "weekend", "holiday", "birthday", "anniversary",
    "wedding", "doctor", "hospital", "medicine", "therapy", "anxiety", "sleep", "dream", "dreams",
    "memory", "laughing", "crying", "screaming", "walking", "running", "driving", "cooking", "writing",
    "painting", "knitting", "gardening", "reading", "listening", "watching", "waiting", "thinking",
    "working", "building", "growing", "America", "Trump", "Europe", "London", "Paris", "California",
    "Texas", "Canada", "Japan", "Ukraine", "Gaza", "Republicans", "Democrats", "Congress", "Senate",
    "election",
];

#[rustfmt::skip]
const JAPANESE: &[&str] = &[
    "の", "は", "が", "を", "に", "で", "と", "も", "て", "た", "な", "し", "い", "る", "か", "ら", "です", "ます", "した",
    "して", "ない", "ある", "いる", "から", "まで", "だけ", "けど", "ので", "って", "とか", "たち", "さん", "ちゃん", "今日", "明日", "昨日",
    "本当", "ありがとう", "ございます", "おはよう", "お疲れ様", "楽しみ", "嬉しい", "可愛い", "かわいい", "好き", "大好き", "すごい", "やばい", "無理",
    "最高", "良かった", "よかった", "思う", "思った", "思って", "見て", "見る", "見た", "行く", "行って", "来た", "来る", "食べ", "食べた",
    "飲み", "寝る", "寝た", "起き", "帰り", "仕事", "会社", "学校", "休み", "時間", "今年", "来年", "去年", "今週", "土曜日", "日曜日",
    "月曜日", "天気", "暑い", "寒い", "雨", "雪", "夏", "冬", "春", "秋", "朝", "昼", "夜", "猫", "犬", "写真", "絵", "イラスト",
    "漫画", "アニメ", "ゲーム", "映画", "音楽", "ライブ", "配信", "動画", "本", "読んで", "描いて", "描いた", "作って", "買った", "推し",
    "キャラ", "ドラマ", "ネット", "スマホ", "パソコン", "アプリ", "アカウント", "フォロー", "ブルスカ", "ツイッター", "コーヒー", "ラーメン", "カレー",
    "ご飯", "お酒", "ビール", "お昼", "電車", "駅", "東京", "大阪", "京都", "日本", "世界", "人", "自分", "子供", "友達", "家族", "先生",
    "先輩", "みんな", "誰か", "何か", "一緒", "全部", "全然", "少し", "ちょっと", "めっちゃ", "とても", "やっぱり", "なんか", "たぶん", "絶対",
    "そろそろ", "もう", "まだ", "また", "という", "ところ", "みたい", "らしい", "かもしれない", "しまった", "ください", "だった", "でした", "ません",
    "ましょう",
];

#[rustfmt::skip]
const PORTUGUESE: &[&str] = &[
    "de", "que", "o", "a", "e", "não", "do", "da", "em", "um", "é", "para", "eu", "com", "uma", "os",
    "no", "se", "na", "por", "mais", "as", "dos", "como", "mas", "ao", "ele", "das", "à", "seu", "sua",
    "ou", "quando", "muito", "já", "está", "também", "só", "pelo", "pela", "até", "isso", "ela", "entre",
    "depois", "sem", "mesmo", "aos", "ter", "seus", "quem", "nas", "me", "esse", "eles", "você", "essa",
    "num", "nem", "suas", "meu", "minha", "gente", "hoje", "dia", "bom", "boa", "noite", "agora", "aqui",
    "ainda", "tudo", "nada", "sempre", "nunca", "vou", "vai", "tá", "pra", "pro", "né", "cara", "coisa",
    "vida", "amor", "casa", "tempo", "mundo", "ano", "anos", "Brasil", "governo", "trabalho", "dinheiro",
    "jogo", "time", "futebol", "música", "filme", "série", "episódio", "livro", "foto", "gato",
    "cachorro", "café", "comida", "amigo", "amiga", "família", "mãe", "pai", "filho", "filha", "escola",
    "cidade", "rua", "carro", "ônibus", "chuva", "calor", "frio", "verão", "saudade", "feliz", "triste",
    "cansado", "lindo", "linda", "maravilhoso", "horrível", "incrível", "gostei", "adorei", "quero",
    "preciso", "posso", "acho", "sei", "fazer", "ver", "falar", "comer", "dormir", "sair", "chegar",
    "voltar", "ficar", "esperar", "entender", "acreditar", "aprender", "começar", "terminar", "assistir",
    "ouvindo", "lendo", "jogando", "desenhando", "trabalhando", "estudando", "amanhã", "ontem", "segunda",
    "sexta", "sábado", "domingo", "janeiro", "fevereiro", "março", "abril", "junho", "julho", "dezembro",
    "política", "eleição", "presidente", "direita", "esquerda", "povo", "direito", "justiça", "verdade",
    "mentira", "problema", "solução", "pergunta", "resposta", "ideia", "opinião", "internet", "celular",
    "computador", "vídeo", "postagem", "rede", "social", "algoritmo",
];

#[rustfmt::skip]
const GERMAN: &[&str] = &[
    "die", "der", "und", "in", "zu", "den", "das", "nicht", "von", "sie", "ist", "des", "sich", "mit",
    "dem", "dass", "er", "es", "ein", "ich", "auf", "so", "eine", "auch", "als", "an", "nach", "wie",
    "im", "für", "man", "aber", "aus", "durch", "wenn", "nur", "war", "noch", "werden", "bei", "hat",
    "wir", "was", "wird", "sein", "einen", "welche", "sind", "oder", "zur", "um", "haben", "einer", "mir",
    "über", "ihm", "diese", "einem", "ihr", "uns", "da", "zum", "kann", "doch", "vor", "dieser", "mich",
    "ihn", "du", "hatte", "seine", "mehr", "am", "denn", "nun", "unter", "sehr", "selbst", "schon",
    "hier", "bis", "habe", "ihre", "dann", "ihnen", "seiner", "alle", "wieder", "meine", "Zeit", "gegen",
    "vom", "ganz", "einzelnen", "wo", "muss", "ohne", "eines", "können", "heute", "morgen", "gestern",
    "Tag", "Abend", "Nacht", "Woche", "Jahr", "Leben", "Liebe", "Haus", "Welt", "Regierung", "Arbeit",
    "Geld", "Spiel", "Musik", "Film", "Serie", "Buch", "Foto", "Katze", "Hund", "Kaffee", "Essen",
    "Freunde", "Familie", "Schule", "Stadt", "Regen", "Sommer", "Winter", "glücklich", "traurig", "müde",
    "schön", "unglaublich", "wirklich", "eigentlich", "endlich", "natürlich", "vielleicht", "irgendwie",
    "Menschen", "Politik", "Wahl", "Bundestag", "Klima", "Recht", "Wahrheit", "Problem", "Lösung",
    "Frage", "Antwort", "Idee", "Meinung", "Deutschland", "Berlin", "Bahn", "Verspätung", "Guten",
    "Morgen", "danke", "bitte", "gerade", "immer", "nie", "alles", "nichts",
];

#[rustfmt::skip]
const SPANISH: &[&str] = &[
    "de", "la", "que", "el", "en", "y", "a", "los", "se", "del", "las", "un", "por", "con", "no", "una",
    "su", "para", "es", "al", "lo", "como", "más", "pero", "sus", "le", "ya", "o", "este", "sí", "porque",
    "esta", "entre", "cuando", "muy", "sin", "sobre", "también", "me", "hasta", "hay", "donde", "quien",
    "desde", "todo", "nos", "durante", "todos", "uno", "les", "ni", "contra", "otros", "ese", "eso",
    "ante", "ellos", "e", "esto", "mí", "antes", "algunos", "qué", "unos", "yo", "otro", "otras", "otra",
    "él", "tanto", "esa", "estos", "mucho", "nada", "muchos", "cual", "poco", "ella", "estar", "estas",
    "algo", "nosotros", "hoy", "día", "noche", "ahora", "aquí", "siempre", "nunca", "vida", "amor",
    "casa", "tiempo", "mundo", "año", "años", "gobierno", "trabajo", "dinero", "juego", "partido",
    "música", "película", "serie", "libro", "foto", "gato", "perro", "café", "comida", "amigo", "amiga",
    "familia", "madre", "padre", "escuela", "ciudad", "calle", "lluvia", "calor", "frío", "verano",
    "feliz", "triste", "cansado", "hermoso", "increíble", "quiero", "necesito", "puedo", "creo", "sé",
    "hacer", "ver", "hablar", "comer", "dormir", "salir", "llegar", "volver", "esperar", "entender",
    "aprender", "empezar", "terminar", "mañana", "ayer", "lunes", "viernes", "sábado", "domingo",
    "política", "elecciones", "presidente", "derecha", "izquierda", "pueblo", "derechos", "justicia",
    "verdad", "mentira", "problema", "solución", "pregunta", "respuesta", "idea", "opinión", "España",
    "México", "Argentina", "dibujo", "comisión", "gracias", "buenos", "días", "bonito",
];

#[rustfmt::skip]
const KOREAN: &[&str] = &[
    "이", "그", "저", "나", "너", "우리", "것", "수", "등", "및", "안", "못", "더", "잘", "또", "다", "왜", "뭐", "좀", "진짜",
    "너무", "정말", "아직", "이제", "지금", "오늘", "내일", "어제", "매일", "항상", "그냥", "그래서", "그런데", "하지만", "그리고", "사람",
    "사랑", "시간", "생각", "마음", "친구", "가족", "엄마", "아빠", "학교", "회사", "집에", "밥을", "커피", "고양이", "강아지", "사진",
    "그림", "노래", "영화", "드라마", "게임", "책을", "음악", "날씨", "비가", "눈이", "여름", "겨울", "아침", "저녁", "밤에", "주말",
    "월요일", "행복", "슬퍼", "피곤", "예쁘다", "귀여워", "좋아요", "좋다", "싫어", "있어", "없어", "했다", "하는", "하고", "해서", "같은",
    "같아", "보고", "봤다", "먹고", "먹었다", "자고", "싶다", "싶어", "갔다", "왔다", "된다", "됐다", "ㅋㅋㅋ", "ㅠㅠ", "ㅎㅎ", "감사합니다",
    "안녕하세요", "한국", "서울", "세상", "대통령", "나라", "문제", "이유", "얘기", "말을",
];

#[rustfmt::skip]
const FRENCH: &[&str] = &[
    "de", "la", "le", "et", "les", "des", "en", "un", "du", "une", "que", "est", "pour", "qui", "dans",
    "a", "par", "plus", "pas", "au", "sur", "ne", "se", "ce", "il", "sont", "avec", "sa", "ou", "ses",
    "mais", "comme", "on", "tout", "nous", "y", "son", "aux", "bien", "fait", "être", "leur", "cette",
    "si", "ces", "elle", "même", "je", "tu", "vous", "mon", "ma", "mes", "c'est", "j'ai", "n'est",
    "qu'il", "aujourd'hui", "demain", "hier", "jour", "nuit", "soir", "semaine", "année", "vie", "amour",
    "maison", "temps", "monde", "gouvernement", "travail", "argent", "jeu", "musique", "film", "série",
    "livre", "photo", "chat", "chien", "café", "manger", "ami", "amie", "famille", "mère", "père",
    "école", "ville", "rue", "pluie", "chaleur", "froid", "été", "hiver", "heureux", "triste", "fatigué",
    "beau", "belle", "incroyable", "vraiment", "enfin", "toujours", "jamais", "rien", "très", "trop",
    "peu", "beaucoup", "encore", "déjà", "ici", "là", "merci", "bonjour", "bonsoir", "politique",
    "élection", "président", "droite", "gauche", "peuple", "droit", "justice", "vérité", "mensonge",
    "problème", "solution", "question", "réponse", "idée", "opinion", "France", "Paris", "dessin", "lire",
    "regarder", "écouter", "dormir", "partir", "arriver", "attendre", "comprendre", "apprendre",
    "commencer", "finir",
];

#[rustfmt::skip]
const RUSSIAN: &[&str] = &[
    "и", "в", "не", "на", "я", "что", "он", "с", "как", "это", "по", "но", "они", "мы", "она", "так",
    "его", "за", "был", "от", "то", "все", "у", "же", "вы", "бы", "из", "мне", "ещё", "для", "если",
    "или", "только", "когда", "уже", "нет", "да", "ты", "меня", "сегодня", "завтра", "вчера", "сейчас",
    "всегда", "никогда", "жизнь", "любовь", "дом", "время", "мир", "год", "правительство", "работа",
    "деньги", "игра", "музыка", "фильм", "сериал", "книга", "фото", "кот", "собака", "кофе", "еда",
    "друг", "семья", "школа", "город", "улица", "дождь", "лето", "зима", "счастье", "грустно", "устал",
    "красиво", "невероятно", "хочу", "нужно", "могу", "думаю", "знаю", "делать", "видеть", "говорить",
    "есть", "спать", "идти", "ждать", "понять", "учиться", "начать", "закончить", "люди", "народ",
    "право", "правда", "вопрос", "ответ", "идея", "мнение", "Россия", "Украина", "Москва", "спасибо",
    "доброе", "утро", "очень", "просто", "такой", "какой", "который", "можно",
];

#[rustfmt::skip]
const ARABIC: &[&str] = &[
    "في", "من", "على", "إلى", "عن", "مع", "هذا", "هذه", "ذلك", "كل", "ما", "لا", "لم", "لن", "قد", "كان",
    "كانت", "يكون", "هو", "هي", "هم", "أنا", "أنت", "نحن", "الذي", "التي", "بعد", "قبل", "عند", "بين",
    "حتى", "أو", "ثم", "لكن", "إذا", "كما", "غير", "اليوم", "غدا", "أمس", "الآن", "دائما", "أبدا",
    "الحياة", "الحب", "البيت", "الوقت", "العالم", "السنة", "الحكومة", "العمل", "المال", "اللعبة",
    "الموسيقى", "الفيلم", "الكتاب", "الصورة", "القط", "القهوة", "الطعام", "الصديق", "العائلة", "المدرسة",
    "المدينة", "الشارع", "المطر", "الصيف", "الشتاء", "سعيد", "حزين", "جميل", "رائع", "شكرا", "صباح",
    "الخير", "مساء", "الله", "الحمد", "إن", "شاء", "غزة", "فلسطين", "مصر", "لبنان", "سوريا", "الناس",
    "الحق", "العدل", "الحقيقة", "السؤال", "الجواب", "الفكرة", "الرأي",
];

#[rustfmt::skip]
const TURKISH: &[&str] = &[
    "bir", "ve", "bu", "da", "de", "için", "çok", "ne", "daha", "gibi", "ama", "ben", "sen", "o", "biz",
    "siz", "onlar", "var", "yok", "kadar", "sonra", "şey", "her", "en", "mi", "ki", "ile", "olarak",
    "olan", "diye", "bana", "sana", "beni", "seni", "değil", "iyi", "güzel", "kötü", "bugün", "yarın",
    "dün", "şimdi", "hep", "hiç", "hayat", "aşk", "ev", "zaman", "dünya", "yıl", "hükümet", "iş", "para",
    "oyun", "müzik", "film", "dizi", "kitap", "fotoğraf", "kedi", "köpek", "kahve", "yemek", "arkadaş",
    "aile", "anne", "baba", "okul", "şehir", "sokak", "yağmur", "yaz", "kış", "mutlu", "üzgün", "yorgun",
    "istiyorum", "lazım", "biliyorum", "düşünüyorum", "yapmak", "görmek", "konuşmak", "uyumak", "gitmek",
    "gelmek", "beklemek", "anlamak", "öğrenmek", "insan", "halk", "hak", "adalet", "gerçek", "sorun",
    "cevap", "fikir", "Türkiye", "İstanbul", "Ankara", "teşekkürler", "günaydın", "gerçekten", "sadece",
    "artık",
];
